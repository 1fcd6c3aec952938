cimport cython


cdef class Timer:
    cdef object _function
    cdef public object timers
    cdef public object what


cdef class Alarm:
    cdef public Timers timers
    cdef public object sleeper
    cdef public double when

    cpdef cancel(self)
    cpdef fire(self, double now)


cdef class Timers:
    cdef object __weakref__
    cdef public object now
    cdef list _heap
    cdef Py_ssize_t _number
    cdef Py_ssize_t _dead
    cdef object _loop
    cdef object _timer
    cdef object _thread
    cdef double _armed_for
    cdef double _resolution
    cdef bint _is_driven
    cdef bint _is_closed

    @cython.locals(alarm=Alarm)
    cpdef wake_at(self, sleeper, double deadline)
    cpdef lose_one(self)
    cdef _push(self, double when, entry)
    @cython.locals(delay=double)
    cdef _arm(self, double when)
    cdef bint _has_too_many_dead(self)
