cimport cython
from greenrelay.runtime.run_queue cimport RunQueue
from greenrelay.runtime.task cimport Task

cdef object getcurrent, getrefcount, getweakrefcount
cdef int MAX_PARKED


cdef extern from "greenlet/greenlet.h":
    ctypedef class greenlet.greenlet [object PyGreenlet, check_size ignore]:
        pass


cdef class Worker(greenlet):
    cdef public Task greenrelay_process
    cdef public object resume


cdef class Crew:
    cdef list _parked
    cdef RunQueue _queue
    cdef bint _recycles

    @cython.locals(worker=Worker)
    cpdef start(self, Task process)
    @cython.locals(worker=Worker)
    cpdef bint lend(self, Task process) except -1
    @cython.locals(process=Task, new=Task, queue=RunQueue, worker=Worker, alone=Py_ssize_t)
    cpdef _work(self)
    cdef bint _may_go_on(self, object worker) except -1


cdef _give(Worker worker, Task process)
