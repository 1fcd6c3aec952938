"""The contenders: a module each, with its workloads as ``WORKLOADS``, by name."""
