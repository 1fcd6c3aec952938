cimport cython
from greenrelay.core.message cimport Message
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.inbox cimport Mailbox

cdef int BATCH, DEAD, EXITING, NEW, NO_SIGNAL, READY, RUNNING, START, WAITING
cdef object ENDS_PROGRAM


cdef class ServerProcess(FunctionProcess):
    cdef public object _server
    cdef bint _cleans_up

    cpdef run(self)
    cpdef end(self, result)
    cpdef let_go(self)
    @cython.locals(mailbox=Mailbox)
    cdef _activate(self)
    cdef _handle(self, server, Message message)
    cdef _begin(self)
    cdef _rest(self)
    cdef _clean_up(self, result)
