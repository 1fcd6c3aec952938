cdef class Host:
    cdef public object id
    cdef public Py_ssize_t max_processes
    cdef public Py_ssize_t inbox_limit
    cdef public object overflow
    cdef public object block_timeout
    cdef public Py_ssize_t count
    cdef public Py_ssize_t dropped
    cdef public object prefix
