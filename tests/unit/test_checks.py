"""System checks: what is missing or wrong is found at start, with the line to paste."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finder
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.tasks import task, task_backends
from django.urls import clear_url_caches
from django.urls.resolvers import get_resolver

from queueing import deployment, registry
from queueing.checks import start
from queueing.forms import EntryForm
from queueing.line import keys, signs
from queueing.line.clients import connection
from tests.support import probe
from tests.support.connections import forget_connections
from tests.support.paths import ROOT
from tests.support.servers import free_port

CLASSIC = {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}


def found(*, deploy: bool = False) -> dict[str | None, str]:
    """The messages by id, each with its hint."""
    messages = run_checks(tags=["queueing"], include_deployment_checks=deploy)
    return {message.id: f"{message.msg} {message.hint}" for message in messages}


class Careless:
    """A check of the brake whose author wrote from memory."""

    def markup(self, request: object) -> str:
        return ""

    def verify(self, request: object, queue: str) -> None: ...


class Unfinished:
    def verify(self, request: object, queue: str) -> None: ...


class RowForm(EntryForm):
    owner = forms.ModelChoiceField(get_user_model().objects.all())
    picture = forms.ImageField()


class NoFileForm(EntryForm):
    file = None


class UntilForm(EntryForm):
    until = forms.DateField()


class DerivingForm(UntilForm):
    def clean(self) -> dict[str, Any]:
        return {"label": str(self.cleaned_data.pop("until"))}


@task(queue_name="probe")
def forgetful(until: str) -> str:
    return until


@task(queue_name="probe", takes_context=True)
def eager(context: object, until: str, colour: str) -> str:
    return until + colour


def form_with(**own: Any) -> type[EntryForm]:
    """A form of the probe that declares this."""
    return type("DeclaringForm", (probe.ProbeForm,), own)


def check_numbers(numbers: list[int]) -> None:
    """A function that a worker could not call by itself."""


@task(queue_name="probe")
def endless() -> Iterator[int]:
    yield 1


async def plain(*_: object) -> None:
    """An application that knows no sockets, and no function that a worker could call."""


class PreviewForm(NoFileForm):
    preview_template = "tables/preview.html"


@pytest.mark.parametrize(
    ("values", "id_", "line"),
    [
        ({"result_template": "nowhere.html"}, "queueing.E080", "templates/nowhere.html"),
        ({"result_template": "admin/nowhere.html"}, "queueing.E080", "<p>{{ result }}</p>"),
        ({"task": registry.get_task("tables").task}, "queueing.E081", '@task(queue_name="probe", takes_context=True)'),
        ({"form": RowForm}, "queueing.E082", "owner = forms.TypedChoiceField("),
        ({"form": RowForm}, "queueing.E083", "picture = forms.FileField()"),
        ({"sample": Path("/nowhere.csv")}, "queueing.E084", "sample="),
        ({"form": NoFileForm}, "queueing.E084", "sample="),
        ({"form": PreviewForm}, "queueing.E087", "file = forms.FileField()"),
        ({"form": UntilForm}, "queueing.E088", "unexpected keyword argument 'until'"),
        ({"form": UntilForm, "task": eager}, "queueing.E088", "missing a required argument: 'colour'"),
        ({"form": UntilForm, "task": eager}, "queueing.E088", "def eager(context, *, until)"),
        ({"form": EntryForm, "task": forgetful}, "queueing.E088", "with takes_context=True its first argument"),
        ({"attempts": 0}, "queueing.E085", "attempts=3"),
        ({"timeout": 0}, "queueing.E085", "timeout=600"),
        ({"retry_after": 0}, "queueing.E085", "retry_after=10"),
        ({"memory_bytes": -1}, "queueing.E114", "memory_bytes=512 * 1024**2"),
        ({"memory_bytes": 0}, "queueing.E114", "memory_bytes=0 of 'probe' is too small: the least is 67108864."),
        ({"cpu_seconds": -5}, "queueing.E114", "cpu_seconds=-5 of 'probe'"),
        ({"disk_bytes": -5}, "queueing.E114", "then TASK_DISK_BYTES holds"),
        ({"processes": -1}, "queueing.E114", "processes=-1 of 'probe' is too small: the least is 0."),
        ({"retry_after": nan}, "queueing.E085", "retry_after=10"),
        ({"title": " "}, "queueing.E116", "The title of 'probe' is empty."),
        ({"verb": ""}, "queueing.E116", 'Write verb="…"'),
        ({"typical_seconds": 0}, "queueing.E116", "typical_seconds=0 of 'probe' is no time of a run."),
        ({"typical_seconds": nan}, "queueing.E116", "Write typical_seconds=30"),
        ({"writable": (Path("cache"),)}, "queueing.E116", "has the path 'cache'"),
        ({"readable": (Path("models"),)}, "queueing.E116", 'Path(__file__).parent / "models"'),
        ({"warm_up": check_numbers}, "queueing.E116", "missing a required argument: 'numbers'"),
        ({"task": endless, "form": EntryForm}, "queueing.E116", "test_checks.endless has a `yield`"),
        ({"warm_up": plain}, "queueing.E116", "it is an `async def`. Name a function without arguments."),
        (
            {"retry_on": (OSError,), "attempts": 1},
            "queueing.W116",
            "In the task 'probe', retry_on without attempts changes",
        ),
        ({"retry_after": 5, "attempts": 1}, "queueing.W116", "retry_after without attempts changes nothing."),
        ({"retry_on": (), "attempts": 3}, "queueing.W116", "attempts=3 with retry_on=() changes"),
        ({"readable": (Path("/opt"),), "isolated": False}, "queueing.W116", "Write isolated=True"),
    ],
)
def test_what_is_wrong_with_a_heavy_task_is_found(
    values: dict[str, Any], id_: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **values))
    assert line in found()[id_]
    assert {"probe", "RowForm", "endless"} & set(re.findall(r"\w+", found()[id_]))


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ({"refused_heads": {b"%PDF": "a PDF"}}, "refused_heads is of type dict, not a tuple of pairs."),
        ({"refused_heads": (b"%PDF", "a PDF")}, "has b'%PDF', which is no pair of a pattern (bytes) and a text."),
        ({"stored_endings": [("%PDF", ".pdf")]}, 'Write stored_endings = ((rb"%PDF", ".pdf"),)'),
        ({"refused_heads": [(b"(", "a bracket")]}, "has b'(', which is no pattern: "),
        ({"folded": "label"}, 'Write folded = ("label",)'),
        ({"folded": ("label", "colour")}, "folded names 'colour', and there is no such field."),
        ({"as_found": lambda self, result: {}}, "Write @classmethod above def as_found(cls, …)."),
        ({"preview_bytes": lambda self: 10}, "preview_bytes is called on the class."),
    ],
)
def test_what_a_form_declares_has_its_shape(own: dict[str, Any], line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fine = {"refused_heads": [(b"%PDF", "a PDF")], "folded": ["label"], "as_found": classmethod(lambda cls, result: {})}
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=form_with(**fine)))
    assert "queueing.E123" not in found()
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=form_with(**own)))
    assert line in found()["queueing.E123"]


def test_a_sample_that_is_larger_than_the_form_takes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    small = form_with(max_bytes=lambda self: 10)
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=small, sample=Path(__file__)))
    assert "larger than the 10\xa0bytes of the form" in found()["queueing.E084"]


def test_limits_that_fit_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    least: dict[str, Any] = {"memory_bytes": 64 * 1024**2, "cpu_seconds": 1, "disk_bytes": 1, "processes": 0}
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **least))
    assert "queueing.E114" not in found()


def test_arguments_that_have_a_meaning_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    retried: dict[str, Any] = {"retry_on": (OSError,), "attempts": 2, "retry_after": 0.5}
    isolated: dict[str, Any] = {"isolated": True, "readable": (Path("/opt"),), "writable": (Path("/opt/cache"),)}
    meant = retried | isolated | {"typical_seconds": 0.1, "warm_up": dict}
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **meant))
    assert not {"queueing.E116", "queueing.W116", "queueing.E089"} & found().keys()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("on_leave", "finnish", "on_leave='finnish' is neither 'stop' nor 'finish'. Write on_leave=\"finish\"."),
        ("on_leave", True, "on_leave=True is neither 'stop' nor 'finish'."),
        ("retry_on", ("ConnectionError",), "is of type tuple of str. Write retry_on=(ConnectionError,)."),
        ("retry_on", ConnectionError, "is of type type. Write retry_on=(ConnectionError,)."),
        ("retry_on", (int,), "is of type tuple of the class int. Write retry_on=(ConnectionError,)."),
        ("isolated", "yes", "isolated='yes' is of type str. Write isolated=True."),
        ("may_keep", 1, "may_keep=1 is of type int. Write may_keep=True."),
        ("writable", "/cache", 'is of type str. Write writable=(Path("/dev/shm"),).'),
        ("writable", ("/cache", Path("/x")), "is of type tuple of str and PosixPath."),
        ("readable", [Path("/opt")], 'is of type list. Write readable=(Path("/opt/models"),).'),
        ("warm_up", "load", "warm_up='load' is of type str. Write warm_up=load_models, without ()."),
        ("typical_seconds", "30", "typical_seconds='30' is of type str."),
        ("timeout", 1.5, "timeout=1.5 is of type float. Write timeout=600."),
        ("attempts", True, "attempts=True is of type bool. Write attempts=3."),
        ("cpu_seconds", 1.5, "cpu_seconds=1.5 is of type float."),
        ("summary", None, 'summary=None is of type NoneType. Write summary="…".'),
    ],
)
def test_a_value_of_another_type_is_one_sentence(
    field: str, value: Any, why: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "heavy_task", replace(probe.heavy_task, **{field: value}))
    settings.QUEUEING_TASKS = {"probe": "tests.support.probe"}
    registry.all_tasks.cache_clear()
    try:
        assert why in found()["queueing.E089"]
    finally:
        registry.all_tasks.cache_clear()


def test_each_field_of_a_heavy_task_has_an_example() -> None:
    texts = {field.name for field in fields(registry.HeavyTask) if field.type is str}
    rest = {field.name for field in fields(registry.HeavyTask)} - texts - {"task", "form"}
    assert registry.EXAMPLES.keys() == rest


@pytest.mark.parametrize("values", [{"form": UntilForm, "task": forgetful}, {"form": DerivingForm}])
def test_a_function_that_takes_what_its_form_gives_is_not_named(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **values))
    assert "queueing.E088" not in found()


@pytest.mark.parametrize(
    ("name", "id_", "line"),
    [
        ("nowhere.Captcha", "queueing.E052", "No module named 'nowhere'"),
        ("tests.unit.test_checks.Careless", "queueing.E125", "Write: def markup(self, request, queue)"),
        ("tests.unit.test_checks.Unfinished", "queueing.E052", "Unfinished: it has no markup"),
        ("tests.unit.test_checks.found", "queueing.E052", "it is no class"),
        ("tests.support.policies.Unmade", "queueing.E052", "has no markup and no verify"),
    ],
)
def test_a_check_of_the_brake_that_the_form_could_not_ask_is_found(
    name: str, id_: str, line: str, settings: Any
) -> None:
    settings.QUEUEING = {"BRAKE_CHECK": "tests.support.captcha.Captcha"}
    assert not {"queueing.E052", "queueing.E125"} & found().keys()
    settings.QUEUEING = {"BRAKE_CHECK": name}
    assert line in found()[id_]


def test_a_preview_template_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.ProbeForm, "preview_template", "nowhere.html")
    assert "preview_template" in found()["queueing.E080"]


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("nowhere", r'QUEUEING_TASKS\["x"\]: No module named .nowhere.*"x": "queueing.tasks.x",'),
        ("queueing.conf", r'does not define a "heavy_task".*"x": "queueing.tasks.x",'),
        ("queueing.tasks.tables.task.heavy_task", r'"x": "queueing.tasks.tables.task",'),
        ("tests.unit.test_checks", r"heavy_task is not a HeavyTask"),
    ],
)
def test_a_module_without_a_heavy_task_is_one_sentence(module: str, sentence: str, settings: Any) -> None:
    settings.QUEUEING_TASKS = {"x": module}
    registry.all_tasks.cache_clear()
    with pytest.raises(ImproperlyConfigured, match=sentence):
        registry.all_tasks()
    registry.all_tasks.cache_clear()


heavy_task = "none"


def test_a_bare_task_is_one_sentence_with_the_line_to_paste(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bare_task.py").write_text("from django.tasks import task\n@task\ndef bare():\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.QUEUEING_TASKS = {"x": "bare_task"}
    registry.all_tasks.cache_clear()
    with pytest.raises(
        ImproperlyConfigured, match=r'"x".*queue .default., .*@task\(queue_name="x", takes_context=True\)'
    ):
        registry.all_tasks()
    registry.all_tasks.cache_clear()


@pytest.mark.parametrize(
    ("values", "id_", "line"),
    [
        ({"QUEUEING": {"CLOSED_LINES": "tables dokuments"}}, "queueing.E086", "documents, tables, probe"),
        ({"QUEUEING": {"LOST_GRAC": 3}}, "queueing.E000", "Did you mean LOST_GRACE?"),
        ({"QUEUEING": {"DOCUMENT_MAXPAGES": 3}}, "queueing.E000", "Did you mean DOCUMENT_MAX_PAGES?"),
        ({"RQ": {}}, "queueing.E091", '"WORKER_CLASS": "queueing.work.worker.PresenceWorker",'),
        ({"RQ": {"QUEUE_CLASS": "rq.Queue"}}, "queueing.E091", "PresenceWorker"),
        ({"RQ": {"QUEUE_CLASS": "no.where", "WORKER_CLASS": "rq.Worker"}}, "queueing.E091", "PresenceWorker"),
        ({"RQ_QUEUES": {"default": {}}}, "queueing.E092", "RQ_QUEUES |= {name:"),
        ({"USE_TZ": False}, "queueing.E122", "USE_TZ = True"),
        ({"CHANNEL_LAYERS": {}}, "queueing.E093", '"BACKEND": "queueing.line.hints.HintLayer"'),
        (
            {"CHANNEL_LAYERS": {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}},
            "queueing.E093",
            "The channel layer is InMemoryChannelLayer",
        ),
        ({"CHANNEL_LAYERS": {"default": {"BACKEND": "no.where"}}}, "queueing.E093", "CHANNEL_LAYERS = {"),
        (
            {"REDIS_URL": "sentinel://one"},
            "queueing.E097",
            "REDIS_URL is no address of Redis. It must read sentinel://",
        ),
        (
            {"RQ_QUEUES": {name: {"URL": "http://one"} for name in ("documents", "tables", "probe")}},
            "queueing.E097",
            "is no address of Redis. It begins with none of redis://",
        ),
        (
            {"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
            "queueing.E096",
            'SESSION_ENGINE = "queueing.web.sessions"',
        ),
    ],
)
def test_what_is_wrong_with_the_settings_is_found(values: dict[str, Any], id_: str, line: str, settings: Any) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert line in found()[id_]


def test_a_site_without_the_urls_is_found(settings: Any) -> None:
    settings.ROOT_URLCONF = "django_rq.urls"
    try:
        assert 'path("queue/", include("queueing.web.urls")),' in found()["queueing.E090"]
    finally:
        clear_url_caches()
        get_resolver.cache_clear() if hasattr(get_resolver, "cache_clear") else None


def test_tasks_without_a_backend_of_ours_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    for alias in ("default", "attended", "unattended"):
        monkeypatch.setattr(task_backends[alias], "queues", {"documents", "probe"})
    assert f'"QUEUES": {list(settings.QUEUEING_TASKS)}' in found()["queueing.E095"]
    assert "'tables'" in found()["queueing.E095"]


# Requirements of a deployed site


pytestmark = pytest.mark.django_db


@pytest.fixture
def deployed(settings: Any, tmp_path: Path) -> None:
    """DEBUG is off, and static files have a manifest."""
    settings.DEBUG, settings.STATIC_ROOT = False, tmp_path / "static"
    storage = {"BACKEND": "config.storage.MinifiedStaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}


def test_static_files_that_are_not_collected_are_found(deployed: None, settings: Any) -> None:
    assert "python manage.py collectstatic --noinput" in found(deploy=True)["queueing.E100"]
    call_command("collectstatic", "--noinput", verbosity=0)
    settings.STORAGES = {**settings.STORAGES}  # as a process finds them that is started then
    assert "queueing.E100" not in found(deploy=True)


def test_plain_static_files_that_are_not_collected_are_told(deployed: None, settings: Any) -> None:
    """Another host may have them, so the site starts all the same."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    assert "python manage.py collectstatic --noinput" in found(deploy=True)["queueing.W100"]
    call_command("collectstatic", "--noinput", verbosity=0)
    assert "queueing.W100" not in found(deploy=True)


def test_a_server_says_that_plain_static_files_are_nowhere(
    deployed: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.SILENCED_SYSTEM_CHECKS = []
    start._warn_of_static_files()
    assert "pages would have no style, and would not move. Run: python manage.py collectstatic" in caplog.text


def test_an_app_that_came_after_the_files_were_collected_is_found(
    deployed: None, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "new" / "login").mkdir(parents=True)
    (tmp_path / "new" / "login" / "login.css").touch()
    call_command("collectstatic", "--noinput", verbosity=0)
    settings.STORAGES = {**settings.STORAGES}
    assert "queueing.E121" not in found(deploy=True)
    settings.STATICFILES_DIRS = [tmp_path / "new"]
    finder: Any = get_finder  # a function with a cache, which the stubs do not know
    finder.cache_clear()
    try:
        assert f"The static files of {tmp_path / 'new'} are not collected in" in found(deploy=True)["queueing.E121"]
        assert not deployment.shows_static_files()
        settings.SILENCED_SYSTEM_CHECKS = ["queueing.E121"]
        assert deployment.shows_static_files()
    finally:
        finder.cache_clear()


AS_ANOTHER_USER = """
import os, sys, django
django.setup()
from queueing.checks import deployed
if not os.geteuid():
    os.setuid(65534)
print([message.msg for message in deployed.check_static_files()])
"""


@pytest.mark.parametrize("closed", ["static/admin", "static/admin/base.css"])
def test_static_files_that_the_user_may_not_read_are_found(closed: str) -> None:
    """As after a `collectstatic` of root's, whose files are for root alone."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "static" / "admin").mkdir(parents=True)
        (folder / "static" / "admin" / "base.css").touch()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        (folder / closed).chmod(0)
        variables = {"DEBUG": "0", "ALLOWED_HOSTS": "x", "STATIC_ROOT": f"{folder}/static"}
        done = subprocess.run(
            [sys.executable, "-c", AS_ANOTHER_USER],
            cwd=ROOT,
            env=os.environ | variables | {"DJANGO_SETTINGS_MODULE": "config.settings"},
            capture_output=True,
            text=True,
            check=True,
        )
        (folder / closed).chmod(0o755)
    assert f"{folder / closed} cannot be read, and the static files lie there." in done.stdout


def test_a_manifest_of_nothing_is_found(deployed: None, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "staticfiles.json").write_text("{")
    assert "queueing.E100" in found(deploy=True)


def test_a_folder_that_cannot_be_written_to_is_found(settings: Any) -> None:
    settings.MEDIA_ROOT = "/dev/null/media"
    assert "install -d -o" in found(deploy=True)["queueing.E101"]


def test_a_folder_at_which_nobody_may_look_is_found(settings: Any, tmp_path: Path) -> None:
    """As one below a folder of root's: `Path.exists` raises an error."""
    settings.MEDIA_ROOT = str(tmp_path / ("long" * 100) / "media")
    assert "/media cannot be written to" in found(deploy=True)["queueing.E101"]


def test_a_folder_for_temporary_files_that_python_passes_over_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", "/dev/null/tmp")
    assert "/dev/null/tmp cannot be written to, and large uploads" in found(deploy=True)["queueing.E101"]
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert "queueing.E101" not in found(deploy=True)


READ_ONLY = """
import os, sys, django
django.setup()
from queueing.checks import deployed
print(*(f"{message.msg} {message.hint}" for message in deployed.check_folders()), sep="\\n")
"""
# A mount of this command alone, as systemd's ProtectSystem= makes one for a unit.
CLOSED = ("unshare", "--mount", "sh", "-euc", 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"')


@pytest.mark.parametrize(("folder", "makes_it"), [(".", False), ("media", True)])
def test_a_folder_that_the_system_closes_is_told_what_opens_it(folder: str, makes_it: bool, tmp_path: Path) -> None:
    """`install -d` does not help there: the folder is the user's already."""
    if subprocess.run([*CLOSED, tmp_path, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    media = tmp_path / folder
    done = subprocess.run(
        [*CLOSED, tmp_path, sys.executable, "-c", READ_ONLY],
        cwd=ROOT,
        env=os.environ | {"MEDIA_ROOT": str(media), "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{media} cannot be written to, and inputs and results lie there." in done.stdout
    assert f"Under systemd, each unit needs ReadWritePaths={media} (systemctl edit)." in done.stdout
    assert (f"install -d -o {os.geteuid()} -m 700 {media}" in done.stdout) is makes_it


def test_redis_without_writes_or_workers_is_found(valkey: redis.Redis) -> None:
    assert "rqworker-pool" in found(deploy=True)["queueing.I104"]
    assert "manage.py keeper" in found(deploy=True)["queueing.I106"]
    signs.note_round(valkey)
    assert "queueing.I106" not in found(deploy=True)
    valkey.config_set("min-replicas-to-write", 1)
    try:
        assert "Start its replicas" in found(deploy=True)["queueing.E103"]
    finally:
        valkey.config_set("min-replicas-to-write", 0)
    assert connection().get(keys.WRITABLE)


@pytest.mark.parametrize(
    ("user", "number", "id_", "line"),
    [
        ("", "99", "queueing.E103", "Write a smaller number at the end of REDIS_URL"),
        ("nobody:wrong@", "0", "queueing.E120", "Correct the user and the password in REDIS_URL"),
    ],
)
def test_an_address_that_redis_refuses_is_an_error(user: str, number: str, id_: str, line: str, settings: Any) -> None:
    where = urlsplit(settings.REDIS_URL)
    settings.REDIS_URL = f"redis://{user}{where.hostname}:{where.port}/{number}"
    forget_connections()
    try:
        messages = found(deploy=True)
    finally:
        forget_connections()
    assert line in messages[id_]
    assert "queueing.I103" not in messages


def test_a_redis_that_is_full_is_told_the_command(valkey: redis.Redis) -> None:
    valkey.config_set("maxmemory", 1)
    try:
        assert "CONFIG SET maxmemory 1gb" in found(deploy=True)["queueing.E103"]
    finally:
        valkey.config_set("maxmemory", 0)


def test_a_site_without_hosts_or_a_key_of_its_own_is_found(settings: Any) -> None:
    assert not {"queueing.E124", "queueing.E118"} & found(deploy=True).keys()
    settings.DEBUG, settings.ALLOWED_HOSTS, settings.WITHOUT_SECRET_KEY = False, [], True
    assert "Set SECRET_KEY for web" in found(deploy=True)["queueing.E124"]
    assert "ALLOWED_HOSTS = ['queue.example']" in found(deploy=True)["queueing.E118"]
    assert not {"queueing.E124", "queueing.E118"} & found().keys()  # of workers, too


def test_a_redis_that_is_not_there_is_no_error_because_each_process_waits_for_it(settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        messages = found(deploy=True)
    finally:
        forget_connections()
    assert settings.REDIS_URL.split("/")[2] in messages["queueing.I103"]
    assert "correct REDIS_URL" in messages["queueing.I103"]
    assert "queueing.E103" not in messages


@pytest.mark.parametrize("path", [None, "", "no.where", "tests.support.shapes.SHAPES", "tests.unit.test_checks.plain"])
def test_an_asgi_application_without_sockets_is_found(path: str | None, settings: Any) -> None:
    settings.ASGI_APPLICATION = path
    assert 'ASGI_APPLICATION = "queueing.asgi.application"' in found(deploy=True)["queueing.E104"]


def test_each_id_is_that_of_one_module() -> None:
    """Two checks that were written at the same time may have taken the same number."""
    where: dict[str, set[str]] = {}
    for module in (ROOT / "queueing" / "checks").glob("*.py"):
        for id_ in re.findall(r"queueing\.[EWI]\d{3}", module.read_text()):
            where.setdefault(id_, set()).add(module.name)
    assert {id_: modules for id_, modules in where.items() if len(modules) > 1} == {}
