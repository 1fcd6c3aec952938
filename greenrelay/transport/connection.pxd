cimport cython
from greenrelay.core.message cimport Message
from greenrelay.runtime.node cimport Node
from greenrelay.relay.session cimport Session, outgoing
from greenrelay.transport.life cimport Life
from greenrelay.websocket.frames cimport encode
from greenrelay.websocket.protocol cimport Protocol

cdef int BINARY, CLOSE, ERROR, FRAMES, OPEN, OVER, PING, PONG, TEXT
cdef object NO_CONTEXT


cdef class Connection(Life):
    cdef public object _encode
    cdef bint _has_turn
    cdef public Protocol _protocol
    cdef object _rate
    cdef Py_ssize_t _taken
    cdef object _turns
    cdef object _unhandled
    cdef public bint is_dropping

    cpdef on_data(self, bytes data)
    cpdef go_on(self)
    cpdef bint take_turn(self) except -1
    @cython.locals(opcode=int, pongs=list)
    cdef _handle(self, received)
    cdef _take(self, int opcode, data)
    @cython.locals(session=Session, node=Node)
    cpdef bint hand_on(self, int opcode, data) except -1
    cdef bint _is_within_rate(self, data) except -1
    cdef _answer(self, list pongs)
    cpdef _let_go_of_unhandled(self, bint was_open)
    cpdef bint deliver(self, Message message) except -1
    cpdef deliver_event(self, event)
    cdef bint _overflow(self, bytes frame, sender) except -1
    cdef _frame_of(self, Message message)
