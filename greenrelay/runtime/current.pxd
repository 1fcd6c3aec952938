cimport cython
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.worker cimport Worker

cdef int EXITING
cdef object getcurrent


@cython.locals(process=FunctionProcess, worker=Worker)
cpdef current_process()
