cimport cython
from greenrelay.core.message cimport Message
from greenrelay.runtime.process cimport Process


cdef class Remote(Process):
    cdef public object link
    cdef object _text

    cpdef bint post(self, topic, payload, sender, context, slot) except -1
    cpdef bint deliver(self, Message message) except -1
    cpdef bint deliver_surely(self, Message message) except -1
    cpdef deliver_event(self, event)
    cpdef end(self, result)


cdef class RemoteCaller:
    cdef object _link
    cdef object _ref
    cdef Process _process

    cpdef bint answer(self, value) except -1
    cpdef bint fail(self, error) except -1
    cpdef bint down(self, result, error) except -1
    cpdef drop(self)
