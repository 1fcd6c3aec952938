cimport cython
from greenrelay.core.message cimport Message
from greenrelay.runtime.process cimport Process


@cython.locals(message=Message, member=Process, processes=dict, count=Py_ssize_t)
cpdef deliver_to_all(node, pids, topic, payload, sender=*, context=*)
