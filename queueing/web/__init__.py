"""The web processes: pages, sockets, and the beat for all open pages.

urls.py, views.py      the pages; joining_pages.py has the parts around a join
middleware.py          a request while Redis or the database is away
database.py            the pool of connections to PostgreSQL
brake.py               the check of the form, in a flood
visitor.py             the visitor of a request or a socket, and the visitor's entries
snapshot.py            one moment of an entry; sentences.py has its words
routing.py, asgi.py    sockets and the start of the process; origin.py refuses foreign sockets
consumers.py           one open page
lobby.py               all open pages of this process: presence
announcer.py           all open pages of this process: the numbers of each
health.py, metrics.py  health checks and metrics, for machines
"""
