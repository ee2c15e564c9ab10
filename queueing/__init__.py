"""A client queue: visitors wait in line for a heavy task, and no work is done for who has left.

The way of one entry, module by module:

    views.join -> services.join       files, the row (models.Entry), and on commit its place in the line
    consumers -> lobby                an open page; the web process beats for all of its pages at once
    lobby -> announcer -> positions   the line moved: whose numbers changed is told the new ones
    presence, lua/                    who is there: beat, close, look
    line.LineQueue                    an RQ queue that hands out only the present
    worker.PresenceWorker             claims, forks, renews the lease
    runner -> attempt                 the last look, the start, the task, the result
    events -> consumers -> snapshot   "look again": the page is told the new state
    keeper                            once a second: hold, drop, recover, reconcile
    tasks/                            the heavy tasks and their registry
"""
