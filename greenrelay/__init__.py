"""Erlang's processes for Flask: every request and every WebSocket a process on gevent."""
