cimport cython

cdef dict _SHORT_HEADS
cdef int _CONTROL, _FINAL

@cython.locals(size=Py_ssize_t)
cpdef encode(int opcode, payload)
