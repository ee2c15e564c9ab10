"""The web processes: pages, sockets, and the beat for all open pages.

urls.py, views.py      the pages
visitor.py             who asks, and what is theirs
snapshot.py            one moment of an entry; sentences.py has its words
routing.py, asgi.py    sockets and the start of the process; origin.py refuses foreign ones
consumers.py           one open page
lobby.py               all open pages of this process: presence
announcer.py           all open pages of this process: their numbers
health.py, metrics.py  for machines
"""
