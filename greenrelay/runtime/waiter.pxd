cimport cython


cdef class Waiter:
    cdef object wake
    cdef public bint is_done
    cdef public double until
    cdef public object value
    cdef public object error
    cdef public object result

    cpdef bint answer(self, value) except -1
    cpdef bint fail(self, error) except -1
    cpdef bint down(self, result, error) except -1
    cpdef drop(self)
    cdef bint _finish(self, value, error, result) except -1
