"""A client queue: visitors wait in line for a heavy task, and no work is done for visitors who have left.

The way of one entry, module by module; docs/architecture.md draws it:

    web/joining_views -> joining.join      the files, the row (models.Entry), and after the commit its place in the line
    web/consumers -> web/lobby             an open page; the web process beats for all of its pages together
    web/lobby -> web/announcer             the line moved: pages whose numbers changed are told the new ones
    line/presence, line/lua/               who is there: beat, close, inspect
    line/places, line/queue                the line, and the line as an RQ queue that hands out only present entries
    work/worker -> work/runner             claim, fork, the last look, the start
    work/attempt                           the task: its input, its progress, its files
    ending                                 the result or another end: the row, the line, the pages
    events -> web/consumers -> snapshot    "look again": the page is told the new state
    keeper/round                           once a second: hold, drop, recover, reconcile
    registry, tasks/                       what a heavy task is made of, and the two that come with the site
"""
