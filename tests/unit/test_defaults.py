"""The settings of a site that names `QUEUEING` alone."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from queueing.conf import check_all, site
from tests.support.paths import ROOT

START = """
import json
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x" * 50,
    INSTALLED_APPS=["queueing", *map("django.contrib.{{}}".format, ["admin", "auth", "contenttypes", "sessions"])],
    **json.loads({values!r}),
)
django.setup()
from channels.layers import get_channel_layer
from django.tasks import task_backends
from queueing.line.clients import connection
from queueing.line.places import get_line
from queueing.registry import all_tasks

hosts = connection().connection_pool.connection_kwargs
print(json.dumps({{
    "tasks": list(all_tasks()),
    "backends": [type(task_backends[name]).__name__ for name in settings.TASKS],
    "layer": type(get_channel_layer()).__name__,
    "redis": [hosts["host"], hosts["db"]],
    "queues": settings.RQ_QUEUES,
    "worker": settings.RQ["WORKER_CLASS"],
}}))
"""
LINES = {"LINES": {"tables": "queueing.tasks.tables.task"}, "REDIS_URL": "redis://queue.example/3"}


TALK = """
import logging

for name in ("queueing", "queueing.audit", "queueing.each"):
    logging.getLogger(name).info("info of %s", name)
    logging.getLogger(name).warning("warning of %s", name)
"""
ALL = ["info of queueing", "warning of queueing", "info of queueing.audit", "warning of queueing.audit"]
STREAM = {"class": "logging.StreamHandler"}


def of_root(**handler: str) -> dict[str, Any]:
    """LOGGING with a handler of the root, which stays at WARNING, and no word about the queue."""
    return {"version": 1, "handlers": {"console": STREAM | handler}, "root": {"handlers": ["console"]}}


def loaded(**values: Any) -> dict[str, Any]:
    """The settings of a process after its start with these."""
    code = START.format(values=json.dumps(values))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_all_follows_from_the_lines_and_the_redis() -> None:
    assert loaded(QUEUEING=LINES) == {
        "tasks": ["tables"],
        "backends": ["PresenceBackend"],
        "layer": "HintLayer",
        "redis": ["queue.example", 3],
        "queues": {"tables": {"URL": "redis://queue.example/3", "SERIALIZER": "rq.serializers.JSONSerializer"}},
        "worker": "queueing.work.worker.PresenceWorker",
    }


def test_what_a_site_names_itself_stays_as_it_is() -> None:
    """Its own REDIS_URL is another one than the queue's; its own layer and queues are for the checks to judge."""
    own: dict[str, Any] = {
        "RQ_QUEUES": {"tables": {"URL": "redis://own.example"}, "mail": {"URL": "redis://own.example"}},
        "CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        "REDIS_URL": "redis://cache.example/9",
    }
    found = loaded(QUEUEING=LINES, **own)
    own_url = {"OWN_URL": "redis://own.example"}  # by which the lines are found there
    assert found["queues"] == {name: queue | own_url for name, queue in own["RQ_QUEUES"].items()}
    assert found["layer"] == "InMemoryChannelLayer"
    assert found["redis"] == ["queue.example", 3]


def test_a_setting_of_the_site_is_found_in_both_places(settings: Any) -> None:
    settings.PORT, settings.BRAND = 81, "of another app"
    assert (site.PORT, site.BRAND) == (81, "Client queue")
    settings.QUEUEING = {"PORT": "82", "BRAND": "The shop", "TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2"}
    assert (site.PORT, site.BRAND, site.TRUSTED_PROXIES) == (82, "The shop", ["10.0.0.1", "10.0.0.2"])


@pytest.mark.parametrize(
    "values",
    [
        {"REDIS_TIMEOUT": "soon"},
        {"PORT": 1.5},
        {"BRAND": None},
        {"FOOTER": ["a"]},
        {"CLOSED_LINES": ["probe"]},
        {"MAX_LINE": True},
    ],
)
def test_a_setting_of_the_site_of_a_wrong_type_is_named(values: dict[str, Any], settings: Any) -> None:
    settings.QUEUEING = values
    with pytest.raises(Exception, match=f"QUEUEING_{next(iter(values))} must be of type"):
        check_all(values)


def test_a_worker_forgets_the_keys_of_the_web_in_this_dict_too() -> None:
    code = START.format(values=json.dumps({"QUEUEING": LINES | {"METRICS_TOKEN": "secret"}})) + (
        "from queueing.conf import site\n"
        "from queueing.work.forgetting import forget_keys\n"
        "assert site.METRICS_TOKEN == 'secret'\n"
        "forget_keys()\n"
        "assert site.METRICS_TOKEN == '', settings.QUEUEING\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("site_logging", "shown"),
    [
        ({}, ALL),
        (of_root(), ALL),
        (of_root(level="WARNING"), ALL),
        ({"version": 1, "loggers": {"queueing": {"level": "WARNING", "handlers": []}}}, [ALL[1], ALL[3]]),
        ({"version": 1, "loggers": {"queueing": {}}}, [ALL[1], ALL[3]]),
        ({"version": 1, "loggers": {"queueing.audit": {"level": "ERROR"}}}, ALL[:2]),
    ],
    ids=["Django's own", "a root handler", "one for warnings alone", "the site's level", "named", "without deeds"],
)
def test_the_log_is_shown_once_unless_the_site_names_it(site_logging: dict[str, Any], shown: list[str]) -> None:
    code = START.format(values=json.dumps({"QUEUEING": LINES, "LOGGING": site_logging})) + TALK
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"(?:info|warning) of (?!queueing\.each)\S+", done.stderr) == shown
    assert "info of queueing.each" not in done.stderr or "queueing" in site_logging.get("loggers", {})


def test_the_log_is_shown_where_the_settings_import_the_queue_before_django_applies_logging() -> None:
    """A LOGGING without `disable_existing_loggers` disables what is there by then."""
    early = "import logging\nlogging.getLogger('queueing')\n"
    code = early + START.format(values=json.dumps({"QUEUEING": LINES, "LOGGING": {"version": 1}})) + TALK
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.search(r"^[\d-]+ [\d:,]+ INFO queueing info of queueing$", done.stderr, re.MULTILINE)
