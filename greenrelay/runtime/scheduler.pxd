cimport cython
from greenrelay.core.fifo cimport Fifo
from greenrelay.runtime cimport native
from greenrelay.runtime.run_queue cimport RunQueue
from greenrelay.runtime.task cimport Task
from greenrelay.runtime.timers cimport Timers
from greenrelay.runtime.worker cimport Crew

cdef int EXITING, NEW, NO_SIGNAL, READY, RUNNING, START, THROW, WAKE
cdef double SLICE


cdef class Scheduler(RunQueue):
    cdef object _timer
    cdef public Crew crew
    cdef public Timers timers

    cpdef block(self, Task task, int state)
    @cython.locals(state=int)
    cdef _way_to(self, Task other)
    @cython.locals(end=double, ready=Fifo)
    cpdef drain(self)
    @cython.locals(state=int)
    cdef _resume(self, Task task)
    cdef _interruption(self, Task task)
