cimport cython
from greenrelay.runtime.function_process cimport FunctionProcess


cdef class Reaper:
    cdef dict _due_at
    cdef bint _is_armed
    cdef object _node

    cpdef expect(self, FunctionProcess process)
    cpdef forget(self, FunctionProcess process)
    cdef _arm(self, double delay)
