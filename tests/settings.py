"""The project's settings, with the lines that its own tests know: the two shipped ones, and "probe".

The task of "probe" does what a test tells it. Whatever config/settings.py has beside the two is a line for the tests of
its developer alone: see `further_lines` in tests/conftest.py. Its name is in TASKS, as `@task` asks for it when the
module is imported.
"""

from pathlib import Path

from config.settings import *  # noqa: F403
from config.settings import MEDIA_ROOT, QUEUEING_TASKS, RQ_QUEUES, SILENCED_SYSTEM_CHECKS, TASKS

SHIPPED = ("documents", "tables")
FURTHER_TASKS = {name: module for name, module in QUEUEING_TASKS.items() if name not in SHIPPED}
QUEUEING_TASKS = {name: QUEUEING_TASKS[name] for name in SHIPPED} | {"probe": "tests.support.probe"}
RQ_QUEUES = {name: RQ_QUEUES[name] for name in SHIPPED} | {"probe": RQ_QUEUES["documents"]}
TASKS["default"]["QUEUES"].append("probe")
TASKS["unattended"] = TASKS["default"] | {"OPTIONS": {"needs_presence": False}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = str(Path(MEDIA_ROOT).with_name("static"))  # where a site as it is deployed collects its files
TASKS["attended"] = TASKS["default"] | {"OPTIONS": {"needs_presence": True}}
# Tests keep places after a second or two of presence, and collect static files where they need them.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "queueing.E011", "queueing.W100"]
