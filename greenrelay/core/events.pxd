cimport cython
from greenrelay.core.value cimport Value


@cython.final
cdef class Result(Value):
    cdef object _value
    cdef object _error
    cdef object _reason


@cython.final
cdef class Exit(Value):
    cdef object _pid
    cdef object _result
    cdef object _ref


@cython.final
cdef class LinkDown(Value):
    cdef object _pid
    cdef object _result


@cython.final
@cython.freelist(256)
cdef class MonitorRef:
    cdef object _watcher
    cdef object _target
    cdef Py_ssize_t _number
    cdef object _name
