"""Autobahn's test suite against our own server: ``python -m bench.autobahn [--fast]``."""
