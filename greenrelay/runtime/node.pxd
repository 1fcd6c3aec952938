cimport cython
from greenrelay.core.events cimport MonitorRef
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.home cimport Home
from greenrelay.runtime.host cimport Host
from greenrelay.runtime.process cimport Process
from greenrelay.runtime.server cimport ServerProcess


cdef class Node(Home):
    cdef public object name
    cdef public double grace
    cdef public object entries
    cdef public dict hosts
    cdef public object default_host
    cdef public Py_ssize_t _number
    cdef public dict supervised
    cdef public dict supervisors
    cdef public dict services
    cdef public object idle

    @cython.locals(process=FunctionProcess, place=Host)
    cpdef FunctionProcess spawn_process(
        self, entry, tuple args, dict kwargs, host=*, name=*, context=*
    )
    @cython.locals(place=Host)
    cpdef Host take_place(self, host_id)
    cpdef new_pid(self, Host host)
    cpdef admit(self, Process process)
    cpdef is_empty(self)
    @cython.locals(process=Process)
    cpdef bint route(self, dest, topic, payload=*, sender=*, context=*, slot=*) except -1
    cpdef Process find(self, dest)
    @cython.locals(target=Process, ref=MonitorRef)
    cpdef monitor(self, Process watcher, dest)
    cpdef link(self, Process one, Process other)
