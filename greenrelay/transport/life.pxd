from greenrelay.runtime.process cimport Process
from greenrelay.relay.session cimport Session
from greenrelay.transport.socket cimport ClientSocket

cdef int CLOSE
cdef object NO_CONTEXT


cdef class Life(Process):
    cdef public object _close_code
    cdef public object _close_reason
    cdef public object _close_timer
    cdef public object _failure
    cdef public object _pulse
    cdef public int _stage
    cdef public object backlog
    cdef public double drain_period
    cdef public object figures
    cdef public double last_in
    cdef public double last_out
    cdef public object limits
    cdef public Py_ssize_t messages_out
    cdef public object on_over
    cdef public double opened_at
    cdef public object request_id
    cdef public Session session
    cdef public ClientSocket socket
    cdef public object tap
    cdef public object term

    cpdef on_data(self, bytes data)
    cpdef go_on(self)
    cpdef end(self, result)
    cpdef _let_go_of_unhandled(self, bint was_open)
