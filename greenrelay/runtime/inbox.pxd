cimport cython
from greenrelay.core.message cimport Message

cdef object Cancel, deque, NOTHING


cdef class Mailbox:
    cdef public Py_ssize_t limit
    cdef public object messages
    cdef public object events
    cdef public Py_ssize_t arrived
    cdef public Py_ssize_t _deepest
    cdef public Py_ssize_t cancels
    cdef public Py_ssize_t dropped
    cdef public object room_waiters
    cdef public object channels

    @cython.locals(depth=Py_ssize_t)
    cpdef put(self, Message message)
    cpdef Mailbox box_of(self, Message message)
    cpdef put_event(self, event)
    @cython.locals(mark=Py_ssize_t)
    cpdef take(self)
    cpdef take_message(self)
    cpdef take_event(self)
    cpdef clear(self)
    cdef _notice_room(self)
    cdef _tell_room(self)
