"""The demo: a chat with rooms, built with nothing but greenrelay's public names.

A message takes one way through these files::

    browser -> views.chat (once, to open the socket)
    browser -> room.run (every message; command.py reads it, state.py changes, frame.py writes)
    room    -> lobby.run (how many people it has, who wants to move)

The lobby starts rooms and is linked to each: a crashed room does not take the lobby along, because
the lobby traps links, but a crashed lobby takes its rooms along, so no room is ever orphaned.
"""
