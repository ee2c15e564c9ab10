"""The lines of docs/how-it-works.md by which a client that is no browser joins, in a shell and with curl."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from queueing.models import Entry
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

(LINES,) = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/how-it-works.md").read_text(), re.DOTALL | re.MULTILINE)


def test_a_client_joins_by_the_lines_of_the_document(processes: Processes, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    web = Web(processes).wait()
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    script = LINES.replace("https://queue.example", f"http://127.0.0.1:{web.port}")
    shell = ["/bin/sh", "-euc", script]
    environment = os.environ | {"no_proxy": "*"}
    done = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "waiting"
    entry = Entry.objects.get()
    assert (entry.queue, entry.input_name, entry.seen_at is not None) == ("tables", "table.csv", True)
