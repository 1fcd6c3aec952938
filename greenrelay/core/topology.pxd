cimport cython
from greenrelay.core.events cimport MonitorRef


cdef class Topology:
    cdef dict _links
    cdef dict _watchers
    cdef dict _watching
    cdef Py_ssize_t _number
    cdef public object observer

    cpdef bint concerns(self, pid) except -1
    cpdef link(self, one, other)
    cpdef MonitorRef make_ref(self, watcher, target)
    @cython.locals(ref=MonitorRef)
    cpdef MonitorRef monitor(self, watcher, target)
    cpdef enter(self, MonitorRef ref)
    @cython.locals(ref=MonitorRef, fired=tuple, linked=tuple)
    cpdef tuple ended(self, pid)
    @cython.locals(peers=dict)
    cdef _forget_link(self, one, other)


@cython.locals(table=dict)
cdef dict _table_of(dict tables, pid)
@cython.locals(refs=dict)
cdef _discard(dict table, pid, MonitorRef ref)
