"""`make audit`: an advisory about a locked package fails, and a machine that reaches none says so."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT
from tools import audit

KNOWN = {"name": "django", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "django", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("output", "report"),
    [
        ({"dependencies": [KNOWN], "fixes": []}, (["django 1.0: PYSEC-1, mended in 1.1"], 0)),
        ({"dependencies": [SKIPPED, KNOWN | {"vulns": []}]}, ([], 1)),
        ({"dependencies": [SKIPPED]}, ([], 1)),
        ({"auditReportVersion": 2, "vulnerabilities": {"x": {"severity": "high"}}}, (["x (high)"], 0)),
        ({"auditReportVersion": 2, "vulnerabilities": {}}, ([], 0)),
        ({"message": "request to https://registry.npmjs.org failed", "error": {}}, None),
        ("no JSON", None),
        ("", None),
    ],
)
def test_a_report_is_read(output: Any, report: tuple[list[str], int] | None) -> None:
    text = output if isinstance(output, str) else json.dumps(output)
    assert audit.read(text) == report


@pytest.mark.parametrize(
    ("output", "status", "said"),
    [
        ("No module named pip_audit", 2, "requirements.txt: the audit itself has failed"),
        ("error: unrecognized arguments", 2, "requirements.txt: the audit itself has failed"),
        ({"dependencies": [KNOWN]}, 1, "requirements.txt: django 1.0: PYSEC-1"),
        ({"dependencies": [SKIPPED]}, 0, "the source of advisories that is reached from here does not know 1 packages"),
        (
            "ConnectionError: Max retries exceeded with url: /pypi",
            0,
            "requirements.txt: no source of advisories was reached from here",
        ),
    ],
)
def test_an_advisory_fails_and_no_source_does_not(
    output: Any, status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "report").write_text(json.dumps(output))
    monkeypatch.setattr(audit, "PIP_AUDIT", ["sh", "-c", f"cat {tmp_path / 'report'}"])
    monkeypatch.setattr(audit, "NPM_AUDIT", ["sh", "-c", "echo; echo npm error code ENOTFOUND >&2; exit 1"])
    assert audit.main() == status
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("said", "is_away"),
    [
        (
            "npm warn audit 405 Method Not Allowed - POST https://registry.example/-/npm/v1/security/audits",
            True,
        ),
        ("request to https://registry.npmjs.org/-/npm failed, reason: getaddrinfo ENOTFOUND", True),
        ("ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", True),
        ("npm error code ENOLOCK", False),
        ("npm warn audit 400 Bad Request - POST https://registry.example/-/npm/v1/security/audits", False),
        ("Traceback (most recent call last): KeyError: 'vulns'", False),
        ("", False),
    ],
)
def test_a_source_that_is_away_is_told_from_a_tool_that_fails(said: str, is_away: bool) -> None:
    assert bool(audit.AWAY.search(said)) == is_away


def test_ci_audits_the_locks() -> None:
    (script,) = (ROOT / ".ci").iterdir()
    assert "make audit" in script.read_text().splitlines()
    assert (
        "python -m tools.audit"
        in subprocess.run(["make", "-n", "audit"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
