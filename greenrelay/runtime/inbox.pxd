cimport cython
from greenrelay.core.fifo cimport Fifo
from greenrelay.core.message cimport Message

cdef object Cancel, deque
cdef Fifo NOTHING


cdef class Mailbox:
    cdef public Py_ssize_t limit
    cdef public Fifo messages
    cdef public object events
    cdef public Py_ssize_t arrived
    cdef public Py_ssize_t _deepest
    cdef public Py_ssize_t cancels
    cdef public Py_ssize_t cancel_at
    cdef public Py_ssize_t dropped
    cdef public object room_waiters
    cdef public object channels

    @cython.locals(depth=Py_ssize_t, messages=Fifo)
    cpdef put(self, Message message)
    cpdef Mailbox box_of(self, Message message)
    cpdef put_event(self, event)
    @cython.locals(mark=Py_ssize_t)
    cpdef take(self)
    @cython.locals(messages=Fifo)
    cpdef take_message(self)
    cpdef take_event(self)
    @cython.locals(messages=Fifo, message=Message, index=Py_ssize_t)
    cpdef take_topic(self, tuple topics, Py_ssize_t since=*)
    cpdef clear(self)
    cdef _notice_room(self)
    cdef _tell_room(self)
