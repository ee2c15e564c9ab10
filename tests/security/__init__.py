"""Attacks on the site: who may do what (`matrix.py`), and the weaknesses that were found, each as a kind.

Weakness and the tests, below `tests/`, that show it to be closed:

- F1 work that grows faster than a text:
  `unit/tasks/test_hostile_files.py`, `processes/test_checkers.py`
- F2 a file that takes memory and time of a task:
  `processes/test_hostile_inputs.py`, `processes/test_limits.py`
- F3 stored bytes without a budget:
  `unit/test_budget.py`, `unit/test_inputs.py`
- F4 limits that a new cookie resets:
  `unit/web/test_limits.py`, `unit/test_crowding.py`, `unit/line/test_reserving.py`
- F5 a file that takes memory of the web process:
  `unit/checking/test_checkers.py`, `processes/test_checkers.py`
- F6 code from what stands in Valkey:
  `processes/test_writers_of_redis.py`, `unit/rq/test_jobs.py`, `unit/line/test_tampering.py`
- F7 bodies that nobody asked for, or that drip:
  `processes/test_bodies.py`, `processes/test_slow_clients.py`
- F8 a socket that outlives its right:
  `processes/test_rights.py`
- F9 guesses at the door of the admin:
  `unit/web/test_sign_in.py`
- F10 cookies that a neighbour plants:
  `processes/test_cookies.py`, `unit/web/test_sign_in.py`
- F11 rows and frames without a bound:
  `unit/keeper/test_timeline.py`, `unit/web/test_turnstile.py`, `unit/web/test_limits.py`
- F12 deeds without a name:
  `unit/web/test_audit.py`, `unit/web/test_address.py`
- F13 headers and caches:
  `unit/web/test_guards.py`, `unit/web/test_metrics.py`
- F14 files that everybody can read:
  `processes/test_run.py`, `unit/work/test_scratch.py`
- F15 weak settings:
  `unit/project/test_strength.py`
- F16 content that cannot be deleted:
  `unit/web/test_deleting.py`, `browser/test_deleting.py`
- F17 containers with too many rights:
  `unit/project/test_compose.py`, `unit/project/test_valkey_users.py`
- an error of the admin, for any staff:
  `security/test_access.py`, by the row `^admin/r/`
- questions by which rows tell their columns, fields without number, doors beside the pages:
  `security/test_doors.py`
"""
