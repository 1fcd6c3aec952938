cimport cython
from greenrelay.core cimport native


@cython.final
@cython.freelist(4096)
cdef class Message:
    cdef object _topic
    cdef object _payload
    cdef object _sender
    cdef object _context
    cdef object _reply_to
    cdef public object frame

    cdef Message fill(self, topic, payload, sender, context, reply_to)
