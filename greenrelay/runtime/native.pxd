from cpython.time cimport monotonic as clock


cdef inline double monotonic() except? -1.0:
    return clock()
