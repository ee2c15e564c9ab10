"""The project's settings, with one more line for the tests: "probe", whose task does what a test tells it."""

from pathlib import Path

from config.settings import *  # noqa: F403
from config.settings import MEDIA_ROOT, QUEUEING_TASKS, RQ_QUEUES, SILENCED_SYSTEM_CHECKS, TASKS

QUEUEING_TASKS["probe"] = "tests.support.probe"
RQ_QUEUES["probe"] = RQ_QUEUES["documents"]
TASKS["default"]["QUEUES"].append("probe")
TASKS["unattended"] = TASKS["default"] | {"OPTIONS": {"needs_presence": False}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = str(Path(MEDIA_ROOT).with_name("static"))  # where a site as it is deployed collects its files
TASKS["attended"] = TASKS["default"] | {"OPTIONS": {"needs_presence": True}}
# Tests keep places after a second or two of presence.
SILENCED_SYSTEM_CHECKS = [*SILENCED_SYSTEM_CHECKS, "queueing.E011"]
