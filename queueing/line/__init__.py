"""The line: the only door to Redis. Everything outside of this package speaks to Redis through these modules.

keys.py       the names of the keys, with type and life
clients.py    connections
scripts.py    the Lua scripts as typed functions; the scripts themselves are in lua/
presence.py   who has a page open now: beat, close, look
places.py     Line: the places of one queue, in the line, held or claimed
positions.py  where many entries stand, in few round trips
jobs.py       the RQ job of an entry
queue.py      LineQueue: a Line as an RQ queue
workers.py    which workers gave a sign of life lately
"""
