cimport cython
from greenrelay.cluster.link cimport Link


cdef class Mesh:
    cdef object __weakref__
    cdef public object node
    cdef public object engine
    cdef public dict links
    cdef public object counts
    cdef public object groups
    cdef public object names
    cdef public bint is_armed
    cdef public bint is_reachable
    cdef public object next_ref
    cdef public object next_epoch
    cdef public dict _remotes
    cdef public list _watchers
    cdef public int _sweep_at
    cdef public dict _silent
    cdef public object _greenlets
    cdef public object _cut_off
    cdef public bint _is_stopped

    @cython.locals(link=Link)
    cpdef on_frame(self, source, bytes frame, topic)
    cpdef arm(self)
    cpdef find(self, pid)
