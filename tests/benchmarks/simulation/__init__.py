"""A discrete-event simulation of very long lines, with failures, on the site's own scripts in a real Valkey.

- `clock`: the scripts as they are, under a clock that the simulation moves.
- `scenario`: the sizes, and what fails when.
- `world`: what is true: rows, pages, hosts; and the agenda of what comes next.
- `visitors`: those who join, wait, reload, fall silent, come back, or never look.
- `hosts`: web hosts: beats, and pages that go to another host.
- `workers`: claims, starts, ends, deaths.
- `keeper`: hold, drop, recover, and the places after a flush.
- `referee`: what must never happen, by the truth of the world alone.
- `play`: one game.

The scripts in `queueing/line/lua` decide about claim, hold, drop and return. The order of the keeper's steps, and the
rows, are plain Python here: a million rows in a database would tell nothing more about these rules.
"""
