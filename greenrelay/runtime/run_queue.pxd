cimport cython
from greenrelay.runtime.task cimport Task

cdef int EXITING, NEW, READY


cdef class RunQueue:
    cdef public object hub
    cdef public object hub_switch
    cdef public object loop
    cdef public object ready
    cdef public bint is_pending
    cdef public int budget

    cpdef enqueue(self, Task task)
    cpdef arm(self)
    cpdef drain(self)
    @cython.locals(first=Task, state=int, is_live=bint)
    cpdef Task take_new(self)
