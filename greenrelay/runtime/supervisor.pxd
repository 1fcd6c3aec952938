cimport cython
from greenrelay.core.events cimport Exit, LinkDown, Result
from greenrelay.core.fifo cimport Fifo
from greenrelay.core.topology cimport Topology
from greenrelay.runtime.home cimport Home
from greenrelay.runtime.process cimport Process
from greenrelay.runtime.scheduler cimport Scheduler
from greenrelay.runtime.task cimport Task

cdef int NEW, READY, RUNNING, WAITING
cdef object getcurrent


cdef class Supervisor(Task):
    cdef Fifo _endings
    cdef Home _node
    cdef Scheduler _scheduler

    cpdef report(self, Process process, result, error)
    cpdef run(self)
    @cython.locals(scheduler=Scheduler, endings=Fifo, process=Process)
    cdef _work(self)
    @cython.locals(topology=Topology, watcher=Process, peer=Process, table=dict)
    cdef _tell(self, Process process, Result result, error)


cdef _deliver(Process process, event)
