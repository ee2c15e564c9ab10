"""A site that has forgotten a step of docs/adopting.md: `manage.py check` says which line to paste, in one sentence."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.paths import ROOT

SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "x" * 50
DEBUG = True
ROOT_URLCONF = "urls"
ASGI_APPLICATION = "queueing.asgi.application"
INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "queueing",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
STATIC_URL = "static/"
MEDIA_ROOT = "/tmp/media-of-a-forgotten-site"
QUEUEING = {"LINES": {"words": "heavy"}, "REDIS_URL": "redis://127.0.0.1:1/0"}
"""
URLS = """
from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("queue/", include("queueing.web.urls"))]
"""
HEAVY = """
from django import forms
from django.tasks import task
from queueing.forms import EntryForm
from queueing.registry import HeavyTask


class WordsForm(EntryForm):
    file = None
    text = forms.CharField()


@task(queue_name="words")
def count_words(text):
    return {"total": len(text.split())}


heavy_task = HeavyTask(
    task=count_words, title="a", summary="b", verb="c", form=WordsForm, result_template="words/result.html"
)
"""
SERVER = """
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
import queueing.asgi
"""
MANAGE = """
import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""


# Each command is a fork of this interpreter.
PRELOADED = """
import os, sys
import asgiref.sync, django.contrib.admin, django.core.management, django.forms, django.tasks, django.test
import psutil, redis.asyncio
for line in sys.stdin:
    folder, *arguments = line.split()
    pid = os.fork()
    if not pid:
        os.chdir(folder)
        sys.path.insert(0, folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = arguments
        try:
            exec(compile(open(arguments[0]).read(), arguments[0], "exec"), {"__name__": "__main__"})
        except SystemExit as end:
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
            status = end.code if isinstance(end.code, int) else bool(end.code)
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 1
        else:
            status = 0
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Done(NamedTuple):
    status: int
    stdout: str
    stderr: str


type Run = Callable[[Path, str], Done]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a command in a folder. All of them are forks of one interpreter, which has the packages loaded."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "HOME"}}
    with subprocess.Popen(
        [sys.executable, "-c", PRELOADED],
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdin
        assert process.stdout
        asked, answers = process.stdin, process.stdout

        def in_folder(folder: Path, command: str) -> Done:
            asked.write(f"{folder} {command}\n")
            asked.flush()
            status = int(answers.readline())
            return Done(status, (folder / "stdout").read_text(), (folder / "stderr").read_text())

        yield in_folder
        asked.close()


class Site:
    """A site in a folder of its own, as the document's steps make it, around the package of this tree."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self._run = folder, run
        self.files = {
            "site_settings.py": SETTINGS,
            "urls.py": URLS,
            "heavy.py": HEAVY,
            "manage.py": MANAGE,
            "server.py": SERVER,
            "django_server.py": "from django.core.asgi import get_asgi_application as get\napplication = get()\n",
            "templates/words/result.html": "{{ result.total }}",
        }

    def replace(self, name: str, old: str, new: str) -> None:
        assert old in self.files[name]
        self.files[name] = self.files[name].replace(old, new)

    def run(self, command: str) -> Done:
        for name, text in self.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self._run(self.folder, command)


@pytest.fixture
def site(tmp_path: Path, run: Run) -> Site:
    return Site(tmp_path, run)


def test_a_site_that_has_forgotten_nothing_has_no_issues(site: Site) -> None:
    done = site.run("manage.py check")
    assert (done.status, done.stderr) == (0, "")
    assert "no issues" in done.stdout


LINES = 'QUEUEING = {"LINES": {"words": "words.heavy"}'
SET, TASK = "site_settings.py", "heavy.py"
OTHER_QUEUES = 'TASKS = {"default": {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": ["a"]}}'
IMMEDIATE = '"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"'
OURS = '"queue": {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": ["words"]}'
OWN_TASKS = f'TASKS = {{"default": {{{IMMEDIATE}, "QUEUES": ["default"]}}, {OURS}}}'
ANY_QUEUE = f'TASKS = {{"default": {{{IMMEDIATE}, "QUEUES": []}}, {OURS}}}'
NO_BACKEND = f'TASKS = {{"default": {{{IMMEDIATE}, "QUEUES": ["default"]}}}}'
SHIPPED_LINE = ('"LINES": {"words": "heavy"}', '"LINES": {"tables": "queueing.tasks.tables"}')
SHIPPED_APP = '"LINES": {"tables": "queueing.tasks.tables.task"}'
LACKING = "import sys\nsys.modules[{!r}] = None\nQUEUEING = {{"
WITHOUT_PIL = LACKING.format("PIL") + '"LINES": {"documents": "queueing.tasks.documents.task"}'
WITHOUT_DUCKDB = LACKING.format("duckdb") + SHIPPED_APP
FORGOTTEN = {
    "settings": (SET, "QUEUEING = {", "SHOP = {", LINES),
    "misspelt": (SET, "QUEUEING = {", "QUEUING = {", "there is no setting QUEUEING, but one named QUEUING"),
    "no lines": (SET, '"LINES": {"words": "heavy"}, ', "", LINES),
    "a list": (SET, '{"words": "heavy"}', '["heavy"]', "is a dict of queue names and modules"),
    "a key": (SET, '"REDIS_URL"', '"REDIS_ULR"', "Did you mean REDIS_URL?"),
    "small letters": (SET, '"LINES"', '"lines"', "Did you mean LINES?"),
    "a name": (SET, '{"words": "heavy"}', '{"my words": "heavy"}', "has a name that no address can have"),
    "the admin": (SET, '    "django.contrib.admin",\n', "", '["django.contrib.admin", *INSTALLED_APPS]'),
    "sessions": (SET, '    "django.contrib.sessions",\n', "", '["django.contrib.sessions", *INSTALLED_APPS]'),
    "a number": (SET, '"REDIS_URL":', '"REDIS_TIMEOUT": "soon", "REDIS_URL":', "must be of type float"),
    "the app": (SET, '    "queueing",\n', "", '[*INSTALLED_APPS, "queueing"]'),
    "another database": (SET, "backends.sqlite3", "backends.dummy", "PostgreSQL or SQLite"),
    "several transactions": (SET, '"NAME": BASE_DIR', '"ATOMIC_REQUESTS": True, "NAME": BASE_DIR', "ATOMIC_REQUESTS"),
    "WAL": (SET, "journal_mode=WAL", "journal_mode=DELETE", "PRAGMA journal_mode=WAL"),
    "the wait": (SET, '"timeout": 20,', "", '"timeout": 20'),
    "IMMEDIATE": (SET, '"transaction_mode": "IMMEDIATE",', "", '"transaction_mode": "IMMEDIATE"'),
    "daphne": (SET, '    "daphne",\n', "", 'INSTALLED_APPS = ["daphne", *INSTALLED_APPS]'),
    "@task": (TASK, '@task(queue_name="words")\n', "", '@task(queue_name="words", takes_context=True)'),
    "EntryForm": (TASK, "WordsForm(EntryForm)", "WordsForm(forms.Form)", "class WordsForm(EntryForm):"),
    "a form": (TASK, "form=WordsForm", "form=WordsForm()", "is no class of entry forms"),
    "async": (TASK, "def count_words", "async def count_words", "heavy.count_words is an `async def`"),
    "a queue": (TASK, 'queue_name="words"', 'queue_name="wrods"', "The lines of TASKS['default'] are 'words'"),
    "an import": (TASK, "from django import forms", "import pandaz", "heavy.py, line 2"),
    "context": (TASK, 'queue_name="words"', 'queue_name="words", takes_context=True', "Write `context` as the first"),
    "a title": (TASK, 'title="a", ', "", "missing 1 required keyword-only argument: 'title'"),
    "the slash": ("urls.py", '"queue/"', '"queue"', 'Paste into urlpatterns: path("queue/", include('),
    "an argument": (TASK, 'verb="c"', 'verb="c", timout=5', "got an unexpected keyword argument 'timout'"),
    "a type": (TASK, 'verb="c"', 'verb="c", timeout="soon"', "timeout='soon' is of type str. Write timeout=600."),
    "a template": (TASK, '"words/result.html"', "None", "result_template=None is of type NoneType"),
    "the application": (SET, "ASGI_APPLICATION =", "OTHER =", "ASGI_APPLICATION is not set"),
    "takes_context": (TASK, "def count_words(", "def count_words(context, ", 'queue_name="words", takes_context=True)'),
    "sockets": (
        SET,
        '"queueing.asgi.application"',
        '"django_server.application"',
        "ASGI_APPLICATION has no sockets",
    ),
    "a sample": (TASK, 'verb="c"', 'verb="c", sample="/no.pdf"', "sample='/no.pdf' is of type str. Write sample=Path("),
    "a limit": (TASK, 'verb="c"', 'verb="c", memory_bytes="1G"', "of type str. Write memory_bytes=512 * 1024**2."),
    "a small limit": (TASK, 'verb="c"', 'verb="c", memory_bytes=-1', "memory_bytes=-1 of 'words' is too small"),
    "a style sheet": (SET, '"REDIS_URL":', '"STYLESHEET": "no.css", "REDIS_URL":', "STYLESHEET is 'no.css', and"),
    "the variable": (TASK, "heavy_task = ", "words_task = ", "Call its variable words_task heavy_task."),
    "QUEUES": (SET, "QUEUEING =", f"{OTHER_QUEUES}\nQUEUEING =", """["default"]["QUEUES"] = ['a', 'words']"""),
    "backend=": (
        SET,
        "QUEUEING =",
        f"{OWN_TASKS}\nQUEUEING =",
        'Write @task(backend="queue", queue_name="words", takes',
    ),
    "backend= of any queue": (
        SET,
        "QUEUEING =",
        f"{ANY_QUEUE}\nQUEUEING =",
        "TASKS['default'], which makes no entries",
    ),
    "the backend's name": (
        TASK,
        '@task(queue_name="words"',
        '@task(backend="queue", queue_name="words"',
        "heavy names the backend 'queue', which TASKS does not have. Write @task(queue_name=\"words\", takes",
    ),
    "a backend": (SET, "QUEUEING =", f"{NO_BACKEND}\nQUEUEING =", 'Paste: TASKS["queue"] = {"BACKEND": "queueing.'),
    "a shipped line": (SET, *SHIPPED_LINE, 'as in "tables": "queueing.tasks.tables.task",'),
    "its app": (SET, SHIPPED_LINE[0], SHIPPED_APP, '[*INSTALLED_APPS, "queueing.tasks.tables"]'),
    "its packages": (SET, "QUEUEING = {" + SHIPPED_LINE[0], WITHOUT_PIL, 'pip install "client_queue-….whl[documents]"'),
    "a late package": (SET, "QUEUEING = {" + SHIPPED_LINE[0], WITHOUT_DUCKDB, "not installed: duckdb."),
    "a file": (
        SET,
        '{"words": "heavy"}',
        '{"words": "words.heavy"}',
        "Make the file words/heavy.py, with a `heavy_task`.",
    ),
    "a module": (SET, '{"words": "heavy"}', '{"words": "havy"}', 'a `heavy_task`, as in "words": "words.heavy",'),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_what_is_forgotten_is_one_sentence_with_the_line_to_paste(name: str, site: Site) -> None:
    file, old, new, sentence = FORGOTTEN[name]
    site.replace(file, old, new)
    done = site.run("manage.py check")
    assert "Traceback" not in done.stderr
    assert sentence in done.stderr
    assert done.status == (0 if name in {"daphne", "the application", "sockets"} else 1)


@pytest.mark.parametrize(
    ("own", "id_"),
    [
        ('RQ_QUEUES = {"mails": {"URL": "redis://127.0.0.1:1/3"}}', "queueing.E092"),
        ('CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}', "queueing.E093"),
        ('TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}', "queueing.E095"),
    ],
)
def test_the_line_to_paste_does_what_it_says(own: str, id_: str, site: Site) -> None:
    """In a site that has a setting of its own, where the names of this repository's settings are unknown."""
    site.files["site_settings.py"] += f"\n{own}\n"
    said = site.run("manage.py check").stderr
    assert id_ in said
    line = said.split(id_)[1].split("Paste: ")[1].splitlines()[0]
    site.files["site_settings.py"] += f"\n{line}\n"
    assert id_ not in site.run("manage.py check").stderr


@pytest.mark.parametrize("own", [OWN_TASKS, ANY_QUEUE])
def test_the_backend_to_name_is_the_one_that_makes_entries(own: str, site: Site) -> None:
    site.replace("site_settings.py", "QUEUEING =", f"{own}\nQUEUEING =")
    site.replace("heavy.py", '@task(queue_name="words")', '@task(backend="queue", queue_name="words")')
    assert site.run("manage.py check").stderr == ""


def test_a_shipped_line_needs_the_default_backend(site: Site) -> None:
    site.replace("site_settings.py", "QUEUEING =", f"{NO_BACKEND}\nQUEUEING =")
    site.replace("site_settings.py", SHIPPED_LINE[0], SHIPPED_APP)
    said = site.run("manage.py check").stderr
    assert 'Paste: TASKS["default"] = {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": [\'tables\']}.' in said


@pytest.mark.parametrize("name", ["async", "QUEUES"])
def test_a_decorator_that_is_there_is_not_advised(name: str, site: Site) -> None:
    file, old, new, sentence = FORGOTTEN[name]
    site.replace(file, old, new)
    said = site.run("manage.py check").stderr
    assert sentence in said
    assert "above the function" not in said


def test_a_line_that_is_named_is_not_advised(site: Site) -> None:
    site.replace("heavy.py", "heavy_task = ", "words_task = ")
    assert "Name a module" not in site.run("manage.py check").stderr


def test_a_template_that_no_engine_looks_for_is_told_the_setting(site: Site) -> None:
    site.replace("site_settings.py", '"APP_DIRS": True', '"APP_DIRS": False')
    site.replace("site_settings.py", '"queueing",', '"queueing",\n    "words",')
    site.replace("site_settings.py", '{"words": "heavy"}', '{"words": "words.heavy"}')
    site.files["words/__init__.py"] = ""
    site.files["words/heavy.py"] = site.files.pop("heavy.py")
    site.files["words/templates/words/result.html"] = site.files.pop("templates/words/result.html")
    said = site.run("manage.py check").stderr
    assert 'words/result.html is there, and no engine of TEMPLATES looks into apps. Paste: TEMPLATES[0]["APP' in said


def test_a_database_that_is_not_there_is_told_the_setting_of_the_site(site: Site) -> None:
    server = '{"ENGINE": "django.db.backends.postgresql", "NAME": "x", "HOST": "127.0.0.1", "PORT": "1"}'
    site.files["site_settings.py"] += f'\nDATABASES = {{"default": {server}}}\n'
    said = site.run("manage.py check --deploy").stderr
    assert "The database does not answer, so its tables are not known" in said
    assert "HINT: Start it, or correct DATABASES." in said


def test_static_files_without_a_folder_are_told_its_setting(site: Site) -> None:
    site.replace("site_settings.py", "DEBUG = True", 'DEBUG = False\nALLOWED_HOSTS = ["queue.example"]')
    assert 'Paste: STATIC_ROOT = BASE_DIR.parent / "static". Run:' in site.run("manage.py check --deploy").stderr


def test_a_server_without_the_app_ends_with_the_sentence(site: Site) -> None:
    site.replace("site_settings.py", '    "queueing",\n', "")
    done = site.run("server.py")
    assert done.status == 1
    assert done.stderr.splitlines() == [
        '"queueing" is not in INSTALLED_APPS. Paste: INSTALLED_APPS = [*INSTALLED_APPS, "queueing"]'
    ]


def test_tables_can_be_made_while_a_task_is_broken(site: Site) -> None:
    """The site may want to go on without this line."""
    site.replace("heavy.py", "WordsForm(EntryForm)", "WordsForm(forms.Form)")
    done = site.run("manage.py migrate --plan --skip-checks")
    assert (done.status, done.stderr) == (0, "")
