cimport cython
from greenrelay.core.message cimport Message
from greenrelay.core.topology cimport Topology
from greenrelay.runtime.home cimport Home
from greenrelay.runtime.host cimport Host
from greenrelay.runtime.task cimport Task

cdef int DEAD, NO_SIGNAL, RUNNING
cdef object NO_CONTEXT


cdef class Process(Task):
    cdef public Home node
    cdef public dict table
    cdef public Host host
    cdef public object pid
    cdef public object entry_object
    cdef public bint trap_links
    cdef public bint is_strict
    cdef public double born_at
    cdef public object calling
    cdef public Py_ssize_t sent
    cdef public object outlet
    cdef public object context
    cdef public bint is_related
    cdef public bint is_shared
    cdef public dict waiters

    @cython.locals(message=Message)
    cpdef bint post(self, topic, payload, sender, context, slot) except -1
    cpdef bint deliver(self, Message message) except -1
    cpdef bint deliver_surely(self, Message message) except -1
    cpdef deliver_event(self, event)
    cpdef end(self, result)
    cpdef finish(self, result, error=*)
    @cython.locals(topology=Topology)
    cdef bint _is_awaited(self) except -1
    cpdef let_go(self)
    cdef begin(self, Home node, host, pid, entry, double now)
