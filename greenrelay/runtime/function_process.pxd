cimport cython
from greenrelay.core.events cimport LinkDown, Result
from greenrelay.core.message cimport Message
from greenrelay.runtime.inbox cimport Mailbox
from greenrelay.runtime.process cimport Process
from greenrelay.runtime.scheduler cimport Scheduler

cdef int BLOCKED, DEAD, EXITING, NEW, NO_SIGNAL, READY, RUNNING, THROW, WAITING, WAKE
cdef object getcurrent, KILLED, RESULT_NORMAL


cdef class FunctionProcess(Process):
    cdef readonly Mailbox _mailbox
    cdef public Scheduler scheduler
    cdef public object exit_result
    cdef public object deadline
    cdef public object alarm
    cdef public bint reads_events
    cdef public dict children
    cdef public object function
    cdef public tuple args
    cdef public dict kwargs

    cpdef prepare(self, function, tuple args, dict kwargs)
    cpdef Mailbox open_mailbox(self)
    @cython.locals(mailbox=Mailbox)
    cpdef bint deliver(self, Message message) except -1
    cpdef bint deliver_surely(self, Message message) except -1
    cpdef deliver_event(self, event)
    cpdef wake_up(self)
    cpdef deadline_passed(self)
    cpdef end(self, result)
    cpdef let_go(self)
    cpdef bint overflow(self, Message message, Mailbox mailbox) except -1
    cpdef wait(self, int state)
    cpdef exit_now(self)
    cpdef exit_again(self)
    cpdef bint wait_until(self, int state, double until) except -1
    @cython.locals(result=Result)
    cpdef run(self)
