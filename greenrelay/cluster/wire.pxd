cimport cython

cdef frozenset _LEAVES, _KINDS
cdef object _VERSION, _MAX_NUMBER, _Raw, _encode, _decode, _decode_frame
cdef Py_ssize_t _MAX_FRAME, _HEAD_BYTES
cdef bytes _TEN
cdef tuple _UNFIT


cpdef read_frame(bytes data)
cpdef bint is_known(frame) except -1
cdef _why_unreadable(data)
@cython.locals(is_fit=bint, frame=bytes)
cpdef bytes pack(kind, epoch, seq, to, sender, topic, ref, context, payload)
@cython.locals(frame=bytes)
cpdef bytes pack_rest(to, sender, topic, ref, context, payload)
@cython.locals(four=bytes)
cpdef bytes pack_head(kind, epoch, seq)
cpdef load(raw)
@cython.locals(data=bytes)
cpdef dump(value, where=*)
cdef _unsendable(value, where, error)
@cython.locals(is_flat=bint)
cdef _ready(value, int depth)
