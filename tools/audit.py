"""Compare the locked packages with the advisories that are known: of PyPI by pip-audit, of npm by npm itself.

Ends with 1 if an advisory is about a package of a lock. A machine that reaches no source of advisories says so in one
line, and ends with 0: that is no fault of the project. Every other failure of a tool ends with 2: nothing was compared.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
LOCKS = ["requirements.txt", "requirements-dev.txt"]
PIP_AUDIT = [
    sys.executable,
    *("-m", "pip_audit", "--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"),
]
# The tools' words when no source answers: no name, no connection, or a mirror of a registry without advisories.
AWAY = re.compile(
    r"Could not connect|Failed to (resolve|establish)|Max retries exceeded|Name or service not known|name resolution"
    r"|Connection (refused|reset|aborted)|(Connect|Read)Timeout|timed out|ProxyError"
    r"|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH"
    r"|request to \S+ failed|40[45] [\w ]+ - POST \S+/security/"
)
NPM_AUDIT = [str(BIN / "npm"), "audit", "--json", "--package-lock-only"]


class BrokenAuditError(Exception):
    """A tool has failed, and not for want of a source."""


def main() -> int:
    try:
        found = advisories()
    except BrokenAuditError as error:
        print(error)
        return 2
    for line in found:
        print(line)
    return 1 if found else 0


def advisories() -> list[str]:
    """The advisories about all locks. Raises BrokenAuditError."""
    found = [f"{lock}: {advisory}" for lock in LOCKS for advisory in told(lock, [*PIP_AUDIT, "--requirement", lock])]
    if (ROOT / "package-lock.json").exists():
        found += [f"package-lock.json: {advisory}" for advisory in told("package-lock.json", NPM_AUDIT)]
    return found


def told(lock: str, command: list[str]) -> list[str]:
    """The advisories about a lock; prints a line if no source of them was reached. Raises BrokenAuditError."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = read(ran.stdout)
    if report is None:
        lines = [line for line in ran.stderr.strip().splitlines() if "log of this run" not in line]
        reason = (lines or ["no answer"])[-1]
        if not AWAY.search(ran.stdout + ran.stderr):
            raise BrokenAuditError(f"{lock}: the audit itself has failed ({reason[:200]}).")
        print(f"{lock}: no source of advisories was reached from here, so nothing was compared ({reason[:200]}).")
        return []
    if report.unknown:
        print(f"{lock}: the source of advisories that is reached from here does not know {report.unknown} packages.")
    return report.advisories


class Report(NamedTuple):
    advisories: list[str]
    unknown: int  # packages that could not be compared


def read(output: str) -> Report | None:
    """The output of pip-audit or npm; None if it is no report."""
    try:
        report: dict[str, Any] = json.loads(output)
    except ValueError:
        return None
    if "auditReportVersion" in report:  # npm's
        return Report([f"{name} ({package['severity']})" for name, package in report["vulnerabilities"].items()], 0)
    if "dependencies" not in report:
        return None
    known = [package for package in report["dependencies"] if "skip_reason" not in package]
    return Report([said for package in known for said in sentences(package)], len(report["dependencies"]) - len(known))


def sentences(package: dict[str, Any]) -> Iterator[str]:
    for advisory in package["vulns"]:
        mended = ", ".join(advisory["fix_versions"]) or "no version"
        yield f"{package['name']} {package['version']}: {advisory['id']}, mended in {mended}"


if __name__ == "__main__":
    sys.exit(main())
