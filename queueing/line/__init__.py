"""The line: the only door to Redis. Everything outside of this package speaks to Redis through these modules.

keys.py       the names of the keys, with type and life
address.py    the address of Redis, and what clients are made of by it
clients.py    connections
servers.py    the servers of the lines, of which some may be away
allowance.py  the seconds that a web request may wait for Redis, and the circuit that spares the next requests
failover.py   connections that leave a server which has become a replica
sentinels.py  connections to the primary that sentinels name
scripts.py    the Lua scripts as typed functions; the scripts themselves are in lua/
presence.py   the visitors that have a page open now: beat, close, inspect
reserving.py  the limits of a join: the length of the line, and one address
places.py     Line: the places of one queue, in the line, held or claimed
positions.py  the places of many entries, in few round trips
jobs.py       the RQ job of an entry
hints.py      the messages to open pages, as Channels' layer
tampering.py  reports of what somebody else has written to Redis
queue.py      LineQueue: a Line as an RQ queue
workers.py    the workers that gave a heartbeat lately
desks.py      all that workers tell about themselves, for staff
commands.py   what a worker can be told: RQ's commands, and two of ours
standings.py  where each of some entries stands, for lists of staff
"""
