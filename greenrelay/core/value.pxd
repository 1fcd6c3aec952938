cdef class Value:
    cpdef tuple _parts(self)
