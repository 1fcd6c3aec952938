"""The servers of the transport and relay benches, each one OS process: echo, and broadcast.

A module has ``serve(is_news, announce)``: with ``is_news`` what a client sends goes to all
clients, otherwise back to it. It tells ``announce`` its port once it listens, and never returns.
"""
