cimport cython

cdef int SLACK


cdef class Fifo:
    cdef list _items
    cdef Py_ssize_t _head

    cpdef append(self, item)
    cpdef appendleft(self, item)
    @cython.locals(items=list, head=Py_ssize_t)
    cpdef popleft(self)
    cpdef clear(self)
