cimport cython
from greenrelay.cluster cimport bundle, wire
from greenrelay.cluster.bundle cimport Bundle
from greenrelay.cluster.session cimport Session
from greenrelay.runtime.process cimport Process

cdef object NO_CONTEXT
cdef object _MESSAGE


cdef class Link:
    cdef public object mesh
    cdef public object member
    cdef public bint is_up
    cdef public dict calls
    cdef public dict _refs
    cdef public dict callers
    cdef public dict _related
    cdef public Py_ssize_t _sweep_at
    cdef public dict _pids
    cdef public dict _processes
    cdef public Session session
    cdef object _send
    cdef Bundle _bundle

    cpdef bint post(
        self, kind, to=*, sender=*, topic=*, ref=*, context=*, payload=*
    ) except -1
    cpdef bint post_rest(self, kind, bytes rest) except -1
    cpdef bint send(self, to, topic, payload, sender, context, slot) except -1
    cpdef expect(self, waiter)
    cpdef forget(self, ref)
    cpdef on_frame(self, bytes data)
    cdef _take(self, frame)
    @cython.locals(process=Process, topic=str)
    cdef _on_message(self, frame)
    cdef _nobody(self, ref)
    cpdef pid(self, text)
    cdef _dump_context(self, context)
