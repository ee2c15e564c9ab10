"""Rules that do the same thing to the real line and to the model.

Real Valkey, real database. Hypothesis chooses rules and arguments; after each rule, both sides must look the same.

moments.py  deadlines, claims, leases and results, moved past their time by data
seen.py     Seen: the real state, and what must be true of it whatever the model says
stage.py    Stage: both sides, the choice of members and workers, and the comparison
clock.py    rules: time passes
pages.py    rules: visitors join, beat, close, look, leave, keep
rounds.py   rules: the keeper makes a round, or a second keeper comes late
workers.py  rules: workers claim, start, finish, renew, die
staff.py    rules: staff pause and resume the line
faults.py   rules: a place is lost, Redis is flushed, stock RQ pushes
life.py     LineMachine: all rules, and a rule that plays many usual steps
"""

from tests.support.line_model.machine.life import LineMachine

__all__ = ["LineMachine"]
