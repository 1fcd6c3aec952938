from cpython.ref cimport PyObject


cdef extern from "Python.h":
    bint PyObject_IS_GC(PyObject *value)
    void PyObject_GC_UnTrack(void *value)


cdef inline bint is_collected(object value) noexcept:
    return PyObject_IS_GC(<PyObject *>value)


cdef inline void untrack(object value) noexcept:
    PyObject_GC_UnTrack(<void *>value)
