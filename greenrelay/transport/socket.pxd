cimport cython


cdef tuple _AGAIN


cdef class ClientSocket:
    cdef public bint is_open
    cdef public bint _is_finishing
    cdef public bint _is_paused
    cdef public Py_ssize_t _joining
    cdef public list _joined
    cdef public Py_ssize_t _joined_bytes
    cdef public tuple _limits
    cdef public object _linger_timer
    cdef public object _outbox
    cdef public object _owner
    cdef public object _reader
    cdef public object _sock
    cdef public object _tls
    cdef public object _writer
    cdef public object bytes_in
    cdef public object bytes_out
    cdef public object on_closed

    cpdef join_next(self, Py_ssize_t count)
    cpdef pause(self)
    cpdef resume(self)
    @cython.locals(joined=list, is_full=bint)
    cdef bint _join(self, data, bint is_last) except -1
    @cython.locals(joined=list)
    cpdef flush(self)
    @cython.locals(count=Py_ssize_t)
    cdef _send(self, data, list frames)
    cdef _keep(self, data, list frames, Py_ssize_t count)
    cdef _listen(self)
    cdef _read_hidden(self)
    cdef _lose(self, error)
