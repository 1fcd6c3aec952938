cimport cython
from greenrelay.cluster cimport wire

cdef bytes _HEAD
cdef object _decode


cdef class Bundle:
    cdef object _send
    cdef object _later
    cdef object _count
    cdef list _frames
    cdef Py_ssize_t _size
    cdef bint _is_due

    @cython.locals(size=Py_ssize_t)
    cpdef bint add(self, bytes frame) except -1
    @cython.locals(frames=list)
    cdef _keep(self, frame, Py_ssize_t size)
    cpdef bint flush(self) except -1
    cpdef clear(self)


cpdef bytes join(list frames)
@cython.locals(frames=list)
cpdef list read(bytes data)
cdef list _read_apart(data)
