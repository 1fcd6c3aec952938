cimport cython
from greenrelay.runtime cimport current
from greenrelay.runtime.function_process cimport FunctionProcess
from greenrelay.runtime.inbox cimport Mailbox
from greenrelay.runtime.node cimport Node
from greenrelay.runtime.process cimport Process
from greenrelay.runtime.waiter cimport Waiter

cdef int BLOCKED, WAITING


@cython.locals(parent=FunctionProcess, process=FunctionProcess, home=Node)
cdef _spawn(entry, tuple args, dict kwargs, host, name, bint link, bint monitor, context, node)

@cython.locals(process=FunctionProcess, target=Process, text=str)
cpdef bint send(dest, topic, payload=*) except -1

@cython.locals(caller=FunctionProcess, target=Process, waiter=Waiter)
cpdef call_in(context, dest, topic, payload, timeout)

@cython.locals(waiters=dict, until=double)
cdef bint _await_answer(FunctionProcess caller, Process target, Waiter waiter, seconds) except -1

@cython.locals(mailbox=Mailbox, until=double)
cdef _next(FunctionProcess process, timeout)

cdef _seconds(timeout)
