"""A site that visitors can reach is not started with a weak key, or with everybody's host names."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.utils import get_random_secret_key

from config.strength import is_any_host, weakness_of_key
from tests.support.paths import ROOT

STRONG = "3dJv9qTz-hX0cLm7RkWs2yNbAe8uFgPi"
# Each process of the site, and what loads its settings first.
PROCESSES = {
    "web": ["-m", "daphne", "-p", "0", "config.asgi:application"],
    "worker": ["manage.py", "rqworker-pool"],
    "keeper": ["manage.py", "keeper", "--once"],
    "migrate": ["manage.py", "migrate"],
}


def start(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {"PATH", "HOME", "DATABASE_URL", "REDIS_URL", "MEDIA_ROOT"}
    variables = {name: value for name, value in os.environ.items() if name in kept} | {"DEBUG": "0"} | environment
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "Set SECRET_KEY in the environment, or DEBUG=1 for development."),
        ({"SECRET_KEY": "a"}, "SECRET_KEY is shorter than 32 characters"),
        ({"SECRET_KEY": STRONG, "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS has '*'"),
    ],
)
def test_every_process_ends_with_one_sentence(process: str, environment: dict[str, str], sentence: str) -> None:
    ran = start(*PROCESSES[process], **environment)
    assert ran.returncode == 1
    assert ran.stderr.startswith(sentence)
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_a_key_is_weak_in_production_only() -> None:
    code = "import config.settings"
    assert start("-c", code, DEBUG="1", SECRET_KEY="a", ALLOWED_HOSTS="*").returncode == 0
    assert start("-c", code, SECRET_KEY=STRONG, ALLOWED_HOSTS="queue.example .queue.example").returncode == 0


@pytest.mark.parametrize("process", ["web", "keeper"])
def test_an_unknown_level_of_the_log_is_one_sentence(process: str) -> None:
    ran = start(*PROCESSES[process], SECRET_KEY=STRONG, LOG_LEVEL="verbose")
    assert ran.returncode == 1
    wanted = "info or debug or warning or error or critical"
    assert ran.stderr == f"LOG_LEVEL must be {wanted}, not 'verbose'.\n"
    assert start("-c", "import config.settings", SECRET_KEY=STRONG, LOG_LEVEL="WARNING").returncode == 0


@pytest.mark.parametrize(
    "url", ["mysql://site:secret@db/name", "db.example:5432", "postgres://site:secret@db:abc/name"]
)
def test_another_kind_of_database_is_one_sentence_without_its_password(url: str) -> None:
    ran = start("manage.py", "check", SECRET_KEY=STRONG, DATABASE_URL=url)
    assert ran.returncode == 1
    assert ran.stderr.startswith("DATABASE_URL is no address of PostgreSQL or SQLite: write postgres://")
    assert ran.stderr.count("\n") == 1
    assert "secret" not in ran.stderr


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ALLOWED_HOST", "ALLOWED_HOSTS"),
        ("STORAGE_URI", "STORAGE_URL"),
        ("QUEUING_LOST_GRACE", "QUEUEING_LOST_GRACE"),
        ("REDIS_PORT", ""),
        ("QUEUE_NAME", ""),
    ],
)
def test_a_variable_that_nobody_reads_is_told_the_one_that_was_meant(name: str, meant: str) -> None:
    ran = start("-c", "import config.settings", SECRET_KEY=STRONG, **{name: "x"})
    assert ran.returncode == 0
    assert ran.stderr == (f"{name} is not read. Did you mean {meant}?\n" if meant else "")


def test_a_worker_needs_no_key_of_the_site() -> None:
    code = "import config.settings; print(config.settings.SECRET_KEY)"
    keys = {start("-c", code, WITHOUT_SECRET_KEY="1").stdout for _ in range(2)}
    assert len(keys) == 2
    assert all(weakness_of_key(key.strip()) == "" for key in keys)


@pytest.mark.parametrize(
    "key",
    [secrets.token_hex(32), secrets.token_urlsafe(50), get_random_secret_key(), STRONG],
    ids=["hex", "url", "django", "fixed"],
)
def test_a_random_key_is_strong(key: str) -> None:
    assert weakness_of_key(key) == ""


EXAMPLES = re.findall(
    r"\bSECRET_KEY[=:]\s*([^\s`'\"]+)",
    "\n".join(path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "docker-compose.yml"]),
)


@pytest.mark.parametrize(
    "key",
    [
        *("a", "secret", "changeme", "x" * 80, "ab" * 40, "changeme" * 10, "1234567890" * 5, "0123456789abcdef" * 4),
        "django-insecure-" + STRONG,
        "set SECRET_KEY to a long random string",
        "a sentence of the documents that is long enough for a key",
        "…" * 40,
        *EXAMPLES,
    ],
)
def test_a_key_that_could_be_guessed_is_weak(key: str) -> None:
    assert weakness_of_key(key)


@pytest.mark.parametrize(
    "pattern",
    ["*", ".", "..", ".com", ".COM", ".co.uk", ".com.au", "*.example.com*", "*.com", "https://*", "https://*.com",
     "http://*.co.uk:8000", "*:8000", ".local", "exa*ple.com", "*.", "**"],
)  # fmt: skip
def test_a_pattern_of_everybody_is_refused(pattern: str) -> None:
    assert is_any_host(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["queue.example", ".queue.example", "localhost", "127.0.0.1", "[::1]", "https://queue.example", "com",
     "https://*.queue.example:8443", "http://localhost:8000", "queue.co.uk", ".queue.co.uk"],
)  # fmt: skip
def test_a_name_of_the_site_is_taken(pattern: str) -> None:
    assert not is_any_host(pattern)


IMPORTS = """
import importlib
import config.settings
for name in ("var", "var.evil", "var.evil.inner", "var.package", "var.native"):
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    print("imported", name)
"""


def test_nothing_in_var_can_be_imported(tmp_path: Path) -> None:
    """As RQ imports what a name says: the folder of the site is the first place where Python looks."""
    for name in ("var/evil.py", "var/evil/inner.py", "var/package/__init__.py", "var/__init__.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("print('a module of var has run')")
    (tmp_path / "tries.py").write_text(IMPORTS)
    environment = os.environ | {"DEBUG": "1", "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "tries.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
