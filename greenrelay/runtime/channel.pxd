cimport cython
from greenrelay.core.fifo cimport Fifo
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.inbox cimport Mailbox

cdef int EXITING, WAITING


cdef class Channel:
    cdef readonly FunctionProcess _process


cdef class Inbox(Channel):
    cdef Mailbox _mailbox
    cdef bint _is_plain
