from greenrelay.runtime.scheduler cimport Scheduler


cdef class Home:
    cdef object __weakref__
    cdef public bint _recycle_workers
    cdef public object id
    cdef public bint is_stopped
    cdef public Scheduler _scheduler
    cdef public object _timers
    cdef public object _thread
    cdef public object watchdog
