"""Checkers: child processes that look into uploads, so that a hostile file costs a child and never a web process.

    pool.py       the checkers of one web process: a bounded number, each replaced after a while
    places.py     which check is next, and how many may wait
    checker.py    one checker, as the web process sees it: start, one question at a time, end
    child.py      the checker's own program; imports only what the forms need
    messages.py   what the two say to each other, over a pair of sockets

A process pool of the library (multiprocessing, and pebble, which is made of it) would hand the site's environment with
its secrets to the child, and import the web server there, as `__main__`.
"""
