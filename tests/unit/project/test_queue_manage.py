"""queue-manage reads the files of the environment as systemd reads them for the services."""

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.paths import ROOT

SCRIPT = ROOT / "docs" / "operations" / "systemd" / "queue-manage"
GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
# A line of a file, and the value of its variable X. The first ones are those that a walker of the documents wrote.
LINES = {
    "X='postgres://queue@host/queue'": "postgres://queue@host/queue",
    'X="postgres://queue@host/queue" ': "postgres://queue@host/queue",
    " X=queue.example": "queue.example",
    "X = queue.example": "queue.example",
    "X=queue.example  ": "queue.example",
    "X='/var/lib/queue/media'": "/var/lib/queue/media",
    'X="a"b c  ': "ab c",
    "X='a' \"b\" c": "abc",
    "X=a\\ b\\  ": "a b ",
    "X=one \\\n  two": "one   two",
    'X="joined \\\nlines"': "joined lines",
    "X='two\nlines'": "two\nlines",
    'X="a\\"b\\\\c\\q"': 'a"b\\c\\q',
    'X=b"c"': 'b"c"',
    "X=it's": "it's",
    'X="a  "': "a  ",
    'X="a" # no comment': "a# no comment",
    "X=a#b": "a#b",
    "X=last='x'": "last='x'",
    "X=first\nX=last\n": "last",
    "# X=1\n; X=2\nexport X=3\n1X=4\nX\nX=5": "5",
    "X=a\r\nY=b": "a",
    "X=$": "$",
    'X="open': "open",
    "X=a\\": "a",
}


@pytest.fixture(scope="module")
def queue_manage() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("queue_manage", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # beside the file of the documents
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


@pytest.mark.parametrize(("line", "value"), LINES.items())
def test_a_line_means_what_it_means_to_a_service(line: str, value: str, queue_manage: ModuleType) -> None:
    assert queue_manage.variables(line)["X"] == value


@pytest.mark.skipif(not GENERATOR.exists(), reason="there is no systemd")
@pytest.mark.parametrize(("line", "value"), [(line, value) for line, value in LINES.items() if "\n" not in value])
def test_systemd_itself_agrees(line: str, value: str, tmp_path: Path) -> None:
    """By a program of its own that reads files of variables, and prints each value as a shell would take it."""
    (tmp_path / "environment.d").mkdir()
    (tmp_path / "environment.d" / "a.conf").write_text(line.replace("$", "$$"), newline="")
    own = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    said = subprocess.run([GENERATOR], env=own, capture_output=True, text=True, check=True).stdout
    shell = ["sh", "-c", f'{said}\nprintf %s "$X"']
    assert subprocess.run(shell, capture_output=True, text=True, check=True).stdout == value


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The script in a folder of its own, where it calls `env`, which prints the environment that it gets."""
    text = SCRIPT.read_text().replace("/usr/bin/python3", sys.executable).replace("/etc/queue", str(tmp_path))
    text = text.replace("/opt/queue", str(tmp_path)).replace("runuser -u queue -- .venv/bin/python manage.py", "env -0")
    script = tmp_path / "queue-manage"
    script.write_text(text)
    script.chmod(0o755)
    return script


def test_the_command_gets_the_environment_of_both_files(installed: Path) -> None:
    (installed.parent / "site.env").write_text(" ALLOWED_HOSTS = 'queue.example'\nPORT=1\n")
    (installed.parent / "web.env").write_text("SECRET_KEY=$(id)\nPORT=2\n")
    done = subprocess.run([installed], env=os.environ | {"PORT": "3"}, capture_output=True, text=True, check=True)
    environment = done.stdout.split("\0")
    assert {"ALLOWED_HOSTS=queue.example", "SECRET_KEY=$(id)", "PORT=2"} <= set(environment)


def test_a_file_that_is_not_there_is_one_sentence(installed: Path) -> None:
    done = subprocess.run([installed], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"{installed.parent}/site.env cannot be read (No such file or directory). Only root may; step 4 of"
    )
    assert len(done.stderr.splitlines()) == 1
