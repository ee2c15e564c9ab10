"""System checks: what must hold, so that what is missing or wrong is found at start. Each hint names the line to paste.

relations.py  the settings of QUEUEING, and between them
tasks.py      the heavy tasks: arguments, templates, queues
fields.py     the fields of their forms: names, values, and what the function takes
policies.py   the class of POLICY
forms.py      what the forms of the tasks declare beside their fields
methods.py    methods of policies and forms: whether the queue can call them, and ever will
templates.py  what only the rendering of a template would show
site.py       the other settings of Django, Channels and RQ
front.py      hosts, proxies, the prefix of the sockets, the style sheet, the frame of all pages
around.py     what a site around the queue may forget: lines, an ASGI `runserver`, options of SQLite
deployed.py   what a deployed site needs beside its settings: static files, folders, Redis, workers
tables.py     the database of a deployed site: its tables, and the rights in them
servers.py    the arguments of uvicorn or daphne, if one of them serves the site
start.py      all of these at the start of a process, as sentences
"""

from queueing.checks import around, deployed, fields, forms, front, policies, site, tables, tasks
from queueing.checks.relations import RELATIONS, check_media_root, check_prefix

__all__ = [
    "RELATIONS",
    "around",
    "check_media_root",
    "check_prefix",
    "deployed",
    "fields",
    "forms",
    "front",
    "policies",
    "site",
    "tables",
    "tasks",
]
