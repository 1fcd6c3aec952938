cimport cython
from greenrelay.cluster cimport wire
from greenrelay.runtime.delivery cimport deliver_to_all

cdef object _BROADCAST


# Links and meshes are plain objects here: their modules import this one.
@cython.locals(rest=bytes)
cpdef send_to_nodes(mesh, counts, group, topic, payload, sender, context)
@cython.locals(topic=str)
cpdef on_broadcast(link, frame)
