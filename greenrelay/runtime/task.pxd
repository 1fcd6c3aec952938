cdef class Task:
    cdef public int state
    cdef public int signal
    cdef public object greenlet
    cdef public object resume

    cpdef run(self)
