cimport cython
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.worker cimport Worker

cdef int EXITING
cdef object getcurrent


@cython.locals(process=FunctionProcess, worker=Worker)
cpdef FunctionProcess current_process()
cpdef FunctionProcess require_process(function)
