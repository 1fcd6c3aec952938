cimport cython
from greenrelay.core.fifo cimport Fifo
from greenrelay.runtime.task cimport Task

cdef int EXITING, NEW, READY


cdef class RunQueue:
    cdef public object hub
    cdef public object hub_switch
    cdef public object loop
    cdef public Fifo ready
    cdef public bint is_pending
    cdef public int budget

    cpdef enqueue(self, Task task)
    cpdef arm(self)
    cpdef drain(self)
    @cython.locals(first=Task, ready=Fifo, state=int, is_live=bint)
    cpdef Task take_new(self)
