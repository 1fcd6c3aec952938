cdef tuple _BYTES


cdef class Session:
    cdef public object client_pid
    cdef public object target_pid
    cdef public object message_topic
    cdef public object metadata
    cdef public object subprotocol
    cdef public object path
    cdef public object remote_addr
    cdef public Py_ssize_t message_count

    cpdef message(self, bint is_text, data)


cpdef tuple outgoing(topic, payload)
cdef tuple _typed(kind, data)
