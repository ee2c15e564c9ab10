"""The documents, as far as a machine can tell whether they are true."""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import get_commands
from django.db.backends.postgresql import base as postgresql
from django.db.backends.sqlite3 import base as sqlite3  # its features alone cannot be imported first
from django.tasks import task_backends
from django.test import Client

from queueing import registry
from queueing.checking.pool import checkers
from queueing.conf import DECLARED, Conf, Site
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.visitors import Visitor
from queueing.web.snapshot import JSON_FIELDS
from queueing.work import runner
from tests import security
from tests.support.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in DOCUMENTS}
TASKS, TESTING, REFERENCE = TEXTS["docs/tasks.md"], TEXTS["docs/testing.md"], TEXTS["docs/reference.md"]
MODULE, _, FORM, SUMS, ENQUEUE, _ = re.findall(r"^```python\n(.*?)^```$", TASKS, re.DOTALL | re.MULTILINE)
(TEMPLATE,) = re.findall(r"^```html\n(.*?)^```$", TASKS, re.DOTALL | re.MULTILINE)
# The tests in docs/testing.md, and the other blocks there that run in this site.
_, EXAMPLE, _, ENQUEUED, LEAVING, _, IMMEDIATE = re.findall(
    r"^```python\n(.*?)^```$", TESTING, re.DOTALL | re.MULTILINE
)
# Of docs/adopting.md: a policy, and a base of a site's own.
(POLICY,) = re.findall(r"^```py\n(# shop/queue\.py\n.*?)^```$", TEXTS["docs/adopting.md"], re.DOTALL | re.MULTILINE)
(BASE,) = re.findall(
    r"^```django\n(\{% load queue_look static %\}<!doctype.*?)^```$",
    TEXTS["docs/adopting.md"],
    re.DOTALL | re.MULTILINE,
)
EXAMPLES = [node.name for node in ast.parse(EXAMPLE).body if isinstance(node, ast.FunctionDef)]
# The processes by the packages that run in no other one.
PACKAGES = {"web": ["web", "checking"], "worker": ["work"], "keeper": ["keeper"]}


@pytest.fixture
def words(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The heavy task of docs/tasks.md, added to this site in the three steps there."""
    (tmp_path / "words_of_the_documents.py").write_text(f"{MODULE}\n\n{FORM}")
    template = tmp_path / "queueing" / "results" / "words.html"
    template.parent.mkdir(parents=True)
    template.write_text(TEMPLATE)
    template.with_name("letters_preview.html").write_text("It begins: {{ preview.begins }}")
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [*settings.TEMPLATES[0]["DIRS"], tmp_path]}]
    settings.QUEUEING_TASKS = settings.QUEUEING_TASKS | {"words": "words_of_the_documents"}
    monkeypatch.setattr(task_backends["default"], "queues", set(settings.QUEUEING_TASKS))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "words_of_the_documents", raising=False)
    checkers.end()  # one of an earlier test may have found no such module
    registry.all_tasks.cache_clear()
    yield
    registry.all_tasks.cache_clear()


def test_the_documented_task_takes_a_file_from_its_form_to_the_result_on_the_page(
    words: None, client: Client, db: None, django_capture_on_commit_callbacks: Any
) -> None:
    """The heavy task of docs/tasks.md takes a file from its form to the result on the page."""
    assert "Count words" in client.get("/").content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        upload = SimpleUploadedFile("poem.txt", b"the rose is the rose\n" * 3)
        answer = client.post("/join/words/", {"file": upload, "least": 4})
    assert answer.status_code == 303
    client.get(answer["Location"])  # the browser follows: only a look at the page puts the entry into the line
    runner.run_entry(Entry.objects.get().job_id)
    entry = Entry.objects.get()
    assert entry.status == Status.SUCCEEDED
    assert entry.result
    assert entry.result["total"] == 15
    page = client.get(answer["Location"]).content.decode()
    assert "15 words in all." in page
    assert "<li>rose: 6</li>" in page
    file = client.get(f"{answer['Location']}files/words.csv")
    assert b"".join(file.streaming_content).split() == [b"the,6", b"rose,6"]  # type: ignore[attr-defined]


def test_the_documented_task_refuses_what_is_no_text(words: None, client: Client, db: None) -> None:
    answer = client.post("/join/words/", {"file": SimpleUploadedFile("x.txt", b"\0\1"), "least": 1})
    assert answer.status_code == 422
    assert "This is not a text file." in answer.content.decode()


def test_the_form_with_all_that_a_form_can_say_is_one(
    words: None, client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = importlib.import_module("words_of_the_documents").LettersForm
    monkeypatch.setitem(registry.all_tasks(), "words", replace(registry.all_tasks()["words"], form=form))
    page = client.get("/join/words/").content.decode()
    assert "<summary>How it is written</summary>" in page
    assert 'data-max-bytes="10000000"' in page
    letter = {"file": SimpleUploadedFile("x.txt", "Grüße".encode("cp1252")), "encoding": "cp1252"}
    assert "It begins: Grüße" in client.post("/join/words/preview/", letter).content.decode()
    letter["file"] = SimpleUploadedFile("x.txt", b"%PDF-1.7")
    assert "This is a PDF, not a text." in client.post("/join/words/", letter).content.decode()
    assert form.ending_of(SimpleUploadedFile("x", b"text")) == ".txt"
    assert form.as_found({"encoding": "cp1252"}) == {"encoding": "cp1252"}


def test_the_documented_policy_refuses_strangers_with_a_link_and_takes_customers(
    words: None, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    """The link of `format_html` is in the form, in the answer, and on the page of an end; its arguments are escaped."""
    (tmp_path / "policy_of_the_documents.py").write_text(POLICY)
    stranger, user = Visitor(), User.objects.create_user("anna")
    ended = stranger.join("words", file=ContentFile(b"the rose", name="poem.txt"), least=1)
    stranger.leave(ended)
    settings.LOGIN_URL = "/in/?a=1&b=2"
    settings.QUEUEING = {"POLICY": "policy_of_the_documents.ShopPolicy"}
    task = replace(registry.all_tasks()["words"], title="Words & more")
    monkeypatch.setitem(registry.all_tasks(), "words", task)
    said = 'Words &amp; more is for customers. Please <a href="/in/?a=1&amp;b=2">sign in</a>.</p>'
    file = ContentFile(b"the rose", name="poem.txt")
    form, refused = stranger.client.get("/join/words/"), stranger.send("words", file=file, least=1)
    for page in (form.content.decode(), refused.content.decode(), stranger.open(ended)):
        assert page.count(said) == 1
    assert (refused.status_code, 'name="least"' in form.content.decode()) == (403, True)
    stranger.client.force_login(user)
    assert "is for customers" not in stranger.client.get("/join/words/").content.decode()


def test_the_documented_base_has_all_that_the_pages_fill(
    words: None, client: Client, tmp_path: Path, settings: Any, db: None
) -> None:
    (tmp_path / "queueing" / "base.html").write_text(BASE)
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [engine | {"DIRS": [tmp_path, *engine["DIRS"]]}]
    first, form = (client.get(path).content.decode() for path in ("/", "/join/words/"))
    assert '<main id="main" class="wide"' in first
    assert "<title>Choose a task" in first
    assert '<main id="main" class="narrow"' in form
    assert ("queueing/style.css" in form, "queueing/join/main.js" in form) == (True, True)
    assert form.count("<footer>") == 1  # it is not ours
    assert "Your place is yours" in form


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_tests_in_the_documents_pass(
    name: str, words: None, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    run(EXAMPLE, name, request)


def run(module: str, name: str, request: pytest.FixtureRequest) -> None:
    """Run this test of a module of the documents."""
    found: dict[str, Any] = {}
    exec(module.replace("queueing.tasks.words", "words_of_the_documents"), found)
    fixtures = inspect.signature(found[name]).parameters
    found[name](**{fixture: request.getfixturevalue(fixture) for fixture in fixtures})


@pytest.mark.parametrize(
    "source",
    [MODULE, FORM, EXAMPLE, ENQUEUED, LEAVING, IMMEDIATE],
    ids=["task", "form", "tests", "enqueued", "leaving", "immediate"],
)
def test_documented_code_has_the_types_that_make_check_asks_for(source: str) -> None:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert node.returns, node.name
            assert [arg.arg for arg in node.args.args if not arg.annotation and arg.arg not in {"self", "cls"}] == [], (
                node.name
            )


def test_a_documented_task_runs_without_an_entry(words: None, settings: Any, request: pytest.FixtureRequest) -> None:
    """The visitor who leaves, and Django's ImmediateBackend."""
    run(LEAVING, "test_a_visitor_leaves_in_the_middle", request)
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}}
    assert str(settings.TASKS) in TESTING.replace('"', "'")
    run(IMMEDIATE, "test_the_words_of_an_enqueued_text_are_counted", request)


@pytest.fixture
def sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module with the function that the documents enqueue."""
    assert SUMS.startswith("# shop/sums.py\n")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "sums.py").write_text(SUMS)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shop", "shop.sums"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_the_test_of_an_enqueued_task_passes(
    sums: None, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    run(ENQUEUED, "test_a_sum", request)


def test_the_documents_enqueue_a_task(sums: None, tmp_path: Path, transactional_db: None) -> None:
    """A module with the task, and another one with the call."""
    (tmp_path / "enqueue_of_the_documents.py").write_text(ENQUEUE)
    module = importlib.import_module("enqueue_of_the_documents")
    runner.run_entry(Entry.objects.get().job_id)
    module.result.refresh()
    assert module.result.return_value == 5


def test_the_settings_table_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", REFERENCE, re.MULTILINE)
    assert [(name, ast.literal_eval(default)) for name, default in rows] == [
        (prefix + field.name, field.default) for prefix, kind in DECLARED.items() for field in fields(kind)
    ]


def test_each_setting_of_the_site_is_documented() -> None:
    told = "".join(TEXTS[f"docs/{name}.md"] for name in ("reference", "operations"))
    assert [field.name for field in fields(Site) if f"| `{field.name}`" not in told] == []


def test_the_fields_that_a_client_is_told_are_those_of_the_code() -> None:
    _, _, section = TEXTS["docs/how-it-works.md"].partition("### What it is told")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert sorted(re.findall(r"\w+", " ".join(rows))) == sorted(JSON_FIELDS)


def test_each_setting_names_the_processes_to_restart() -> None:
    """A process reads the settings that its own packages name; those that it shares with others may be more."""
    told = restarts()
    assert sorted(told) == sorted(prefix + field.name for prefix, kind in DECLARED.items() for field in fields(kind))
    for process, packages in PACKAGES.items():
        files = [path for package in packages for path in (ROOT / "queueing" / package).rglob("*.py")]
        read = {name for path in files for name in re.findall(r"\bconf\.([A-Z_]+)", path.read_text())}
        assert len(read) > 3
        assert not {name for name in read if process not in told[name]}, process


def restarts() -> dict[str, list[str]]:
    """The processes to restart after a change of each setting, by the table. A setting stands there once."""
    _, _, section = REFERENCE.partition("## Which process to restart")
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| ([a-z, ]+) \|$", section.partition("Something else")[0], re.MULTILINE)
    told = [(name, processes.split(", ")) for names, processes in rows for name in re.findall(r"`(\w+)`", names)]
    assert len(told) == len(dict(told))
    return dict(told)


@pytest.mark.parametrize(
    ("told", "measured"),
    [
        ("workers' time spent for visitors who had gone", "worker-seconds for visitors gone before the start"),
        ("visitors served", "visitors served"),
    ],
)
def test_the_figures_of_the_readme_are_those_of_the_benchmarks(told: str, measured: str) -> None:
    """Each figure is within the range that was measured: another run may have another median."""
    (shown,) = re.findall(rf"^\| {told} \| (\d+) % \| (\d+) % \|$", TEXTS["README.md"], re.MULTILINE)
    (row,) = re.findall(rf"^\| {measured} \(SQLite\) \| (.*)$", TEXTS["docs/benchmarks.md"], re.MULTILINE)
    ranges = re.findall(r"\(([\d.]+) to ([\d.]+), \d+ runs(?:, unsteady)?\)", row)
    assert len(ranges) == 2
    for figure, (least, most) in zip(shown, ranges, strict=True):
        assert float(least) <= float(figure) <= float(most), row


def test_the_readme_supports_what_its_packages_support() -> None:
    [postgres], sqlite = (features.DatabaseFeatures.minimum_database_version for features in (postgresql, sqlite3))
    for package in ("Django", "RQ"):
        minor = ".".join(metadata.version(package).split(".")[:2])
        assert re.search(rf"^\| {package} \| {minor}\b", TEXTS["README.md"], re.MULTILINE)
    assert f"PostgreSQL {postgres} and newer" in TEXTS["README.md"]
    assert f"SQLite, {'.'.join(map(str, sqlite))} and newer" in TEXTS["README.md"]


def test_the_times_for_which_data_are_kept_are_those_of_the_settings() -> None:
    told = re.findall(r"(\d+) (minute|hour|day)s? [^|`\d]*\(`([A-Z_]+)`\)", TEXTS["docs/privacy.md"])
    seconds = {"minute": 60, "hour": 3600, "day": 24 * 3600}
    assert {(name, int(number) * seconds[unit]) for number, unit, name in told} == {
        *((name, getattr(Conf(), name)) for name in ("INPUT_TTL", "RESULT_TTL", "HISTORY_TTL")),
        ("SESSION_COOKIE_AGE", settings.SESSION_COOKIE_AGE),
    }


def test_the_readme_is_read_in_five_minutes() -> None:
    """At 300 words a minute, without what is in code blocks and behind links."""
    text = re.sub(r"^```.*?^```$|!\[.*?\]\(.*?\)|\]\(.*?\)", "", TEXTS["README.md"], flags=re.DOTALL | re.MULTILINE)
    assert len(re.findall(r"[\w'.-]*\w", text)) < 5 * 300


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[name]):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{link} in {name}"
        assert not anchor or anchor in anchors(target.read_text()), f"{link} in {name}"


def anchors(text: str) -> set[str]:
    """The headings as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("pattern", "existing"),
    [
        (r"manage\.py ([a-z][\w-]*)", lambda: set(get_commands())),
        (
            r"(?:`|^)make ([a-z-]+)",
            lambda: set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)),
        ),
    ],
    ids=["manage.py", "make"],
)
def test_commands_exist(pattern: str, existing: Callable[[], set[str]]) -> None:
    told = {name for text in TEXTS.values() for name in re.findall(pattern, text, re.MULTILINE)}
    assert told
    assert told <= existing()


def test_files_named_in_the_documents_exist() -> None:
    """Anything in backticks that looks like a path of this project; `queueing/tasks/words.py` is the reader's own."""
    named = {
        path
        for text in TEXTS.values()
        for path in re.findall(r"`((?:config|queueing|templates|tests|docs)/[^`*<… ]*)`", text)
    }
    named -= {name for name in named if any((ROOT / base / name).exists() for base in ("templates", "queueing/static"))}
    missing = {name for name in named if not is_there(*name.split("::")) and "words" not in name}
    assert not missing


def test_tests_named_with_the_weaknesses_exist() -> None:
    assert security.__doc__
    named = re.findall(r"`(\w+/[\w/]+\.py)`", security.__doc__)
    assert len(named) > 30
    assert not [path for path in named if not is_there(f"tests/{path}")]


def is_there(path: str, function: str = "") -> bool:
    """True for a file, and for a function at the top of a module, written as pytest writes a test."""
    file = ROOT / path
    if not function:
        return file.exists()
    return file.is_file() and function in {getattr(node, "name", "") for node in ast.parse(file.read_text()).body}


def test_every_item_of_the_standard_has_a_state_and_where_it_is_shown() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.*?) \| (.*?) \| (.*?) \|$", TEXTS["docs/asvs.md"], re.MULTILINE)
    assert [number for number, *_ in rows] == sorted({row[0] for row in rows}, key=lambda n: [*map(int, n.split("."))])
    assert len(rows) > 150
    for number, state, how, shown in rows:
        assert state in {"met", "partly", "not met", "operator"}, number
        assert how, number
        assert shown or state != "met", number


def test_the_way_of_one_entry_is_read_in_ten_minutes() -> None:
    """Thirty lines a minute. The way in docs/architecture.md names functions that exist."""
    rows = re.findall(r"^\| \d+ \| (.+?) \|", TEXTS["docs/architecture.md"], re.MULTILINE)
    module, lines = "", 0
    for name in re.findall(r"`(.+?)`", " ".join(rows)):
        path, _, function = name.rpartition(": ")
        module = path or module
        lines += len_of(module, function)
    assert len(rows) == 12
    assert lines <= 300


def len_of(module: str, function: str) -> int:
    """The lines of a function or method of queueing/."""
    node: Any = ast.parse((ROOT / "queueing" / module).read_text())
    for name in function.split("."):
        (node,) = [child for child in node.body if getattr(child, "name", "") == name]
    return int(node.end_lineno - node.lineno + 1)


def test_every_variable_of_the_environment_is_told() -> None:
    source = (ROOT / "config" / "settings.py").read_text()
    read = set(re.findall(r'(?:text|words|number|boolean)\("([A-Z_]+)"', source))
    assert read <= set(re.findall(r"^\| `([A-Z_]+)` \|", TEXTS["docs/operations.md"], re.MULTILINE))
