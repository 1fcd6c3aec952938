cimport cython


cdef object BinaryMessage, CompressedMessage, TextMessage, apply_mask
cdef int BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, _FINAL, _MASKED, _RESERVED
cdef int _FINAL_BINARY, _FINAL_TEXT
cdef Py_ssize_t _WORTH_A_VIEW


cdef class Protocol:
    cdef public Py_ssize_t max_message_size
    cdef public Py_ssize_t max_fragments
    cdef object _inflater
    cdef bint _is_closed
    cdef bint _is_midway
    cdef bytes _held
    cdef object _message
    cdef bint _is_last
    cdef Py_ssize_t _missing
    cdef bytes _mask

    cpdef receive(self, bytes data)
    @cython.locals(
        end=Py_ssize_t, limit=Py_ssize_t, first=int, size=Py_ssize_t, body=Py_ssize_t,
        stop=Py_ssize_t, is_ordinary=bint,
    )
    cdef _read(self, bytes data, Py_ssize_t start, list received)
    cdef _close(self)
    cdef _resume(self, bytes data, list received)
    cdef Py_ssize_t _hold(self, bytes data, Py_ssize_t start) except -1
    @cython.locals(
        first=int, second=int, opcode=int, size=Py_ssize_t, body=Py_ssize_t, is_control=bint
    )
    cdef Py_ssize_t _frame(self, bytes data, Py_ssize_t start, list received) except -1
    cdef _open(self, int first, size)
    cdef _refuse_early(self, int first, size)
    cdef _new_message(self, int first)
    @cython.locals(stop=Py_ssize_t, count=Py_ssize_t, turn=Py_ssize_t)
    cdef Py_ssize_t _payload(self, bytes data, Py_ssize_t body, list received) except -1


cdef _check_head(int first, int second)
