cimport cython


@cython.final
cdef class Result:
    cdef object _value
    cdef object _error
    cdef object _reason


@cython.final
@cython.freelist(256)
cdef class Exit:
    cdef object _pid
    cdef object _result
    cdef object _ref


@cython.final
@cython.freelist(256)
cdef class LinkDown:
    cdef object _pid
    cdef object _result


@cython.final
@cython.freelist(256)
cdef class MonitorRef:
    cdef object _watcher
    cdef object _target
    cdef Py_ssize_t _number
