"""The web processes: pages, sockets, and the beat for all open pages.

urls.py, views.py      the pages; joining_pages.py has the parts around a join
previews.py            the preview of a file before a join; meter.py counts those of each address
middleware.py          a request while Redis or the database is away
database.py            the pool of connections to PostgreSQL
brake.py               the check of the form, in a flood
visitor.py             the visitor of a request or a socket, and the visitor's entries
sessions.py            the sessions of browsers; rights.py asks whether an open page may still see its entry
sign_in.py             the sign-in of staff; address.py knows where a request comes from
audit.py               the log of deeds: sign-ins, moves by staff, looks, refusals
snapshot.py            one moment of an entry; sentences.py has its words
routing.py, asgi.py    sockets and the start of the process; origin.py refuses foreign sockets
turnstile.py           bounds sockets by address and visitor; wire.py watches their connections under daphne
consumers.py           one open page
lobby.py               all open pages of this process: presence
announcer.py           all open pages of this process: the numbers of each
health.py, readiness.py, metrics.py  health checks and metrics, for machines
"""
