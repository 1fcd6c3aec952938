cimport cython
from greenrelay.cluster cimport wire

cdef object _FIRST


cdef class Session:
    cdef public object _transmit
    cdef public object _next_epoch
    cdef public object _opened
    cdef public object _lost
    cdef public object _count
    cdef public Py_ssize_t max_frames
    cdef public Py_ssize_t max_bytes
    cdef public list room_waiters
    cdef public object remote
    cdef public object epoch
    cdef public object _expected
    cdef public object _base
    cdef public object _next
    cdef public object _next_out
    cdef public object _ring
    cdef public Py_ssize_t _ring_bytes
    cdef public Py_ssize_t _unacknowledged
    cdef public bint _has_asked
    cdef public Py_ssize_t _asked_ago
    cdef public object _waiting_since
    cdef public bint _is_known
    cdef public bint _is_over
    cdef public bint reads_bundles
    cdef public bint is_first

    cdef _begin(self)
    cpdef post(
        self, kind, to=*, sender=*, topic=*, ref=*, context=*, payload=*
    )
    cpdef post_rest(self, kind, bytes rest)
    cdef _put(self, seq, bytes frame)
    cpdef pump(self)
    cpdef reset(self)
    cpdef close(self)
    cpdef resync(self)
    cpdef bint tick(self, double now) except -1
    cpdef bint receive(self, frame) except -1
    cdef _control(self, frame)
    cdef _on_hello(self, frame)
    cpdef _on_ack(self, seq)
    cdef _on_again(self, seq)
    cdef _acknowledge(self)
    cdef _ask(self)
    cdef _show_head(self)
    cdef _say(self, kind, seq)
    cdef _tell_room(self)
