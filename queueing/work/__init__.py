"""The worker processes: claim a present entry, fork a horse, run the task, store the result.

worker.py   PresenceWorker: RQ's worker with our queues
forking.py  HorseWorker, its base: the life of a horse
ready.py    ReadyWorker, the base of that: a horse that stands by (standby.py)
books.py    BookkeepingWorker, the base of that: RQ's books, kept beside the horse
outage.py   PatientWorker, the base of all: RQ's worker, which no outage of Redis ends
report.py   what a horse tells its worker
lease.py    what a worker does for the entry that its horse is working on
horse.py    the forked process that runs one task: it ends with its worker
warming.py  what the tasks load before the first fork
runner.py   what a horse does: last look, start, task, result
attempt.py  one attempt, as the task sees it
blame.py    the reasons of runs without a result: the input, the program, or the machine
retrying.py whether a task that failed is tried again, and when
storing.py  the end of an attempt into its row, and a database that refuses it
lines.py    RQ's own lines in the log, which are for debugging

limits.py       the limits of a task, and the part of them that the kernel keeps
guard.py        the worker's part of them: it looks at its horse, and kills it
scratch.py      the temporary folder of one horse
confinement.py  what a horse may do: files, privileges, processes, keys
isolation.py    an isolated task, seen from its horse, which runs it in a process without rights
inside.py       that process
packets.py      what the two say to each other
forgetting.py   secrets that are removed from settings and environment
"""
