from greenrelay.core.topology cimport Topology
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
    cdef public object crashes
    # These are Node's. They are here since a process, of which Node knows, knows its node as this.
    cdef public dict processes
    cdef public object names
    cdef public object groups
    cdef public Topology topology
    cdef public object supervisor
    cdef public object reaper
    cdef public object cluster
    cdef public dict kills
    cdef public bint strict_payloads
    cdef public bint debug
