"""System checks: what must hold, so that what is missing or wrong is found at start. Each hint names the line to paste.

relations.py  the settings of QUEUEING, and between them
tasks.py      the heavy tasks: forms, templates, queues
site.py       the other settings of Django, Channels and RQ
deployed.py   what a deployed site needs beside its settings: static files, folders, tables, Redis, workers
uvicorn.py    the arguments of uvicorn, if it serves the site
start.py      all of these at the start of a process, as sentences
"""

from queueing.checks import deployed, site, tasks
from queueing.checks.relations import RELATIONS, check_media_root, check_prefix

__all__ = ["RELATIONS", "check_media_root", "check_prefix", "deployed", "site", "tasks"]
