"""Rules of alerts and the board of Grafana: they do what they say, with the metrics that the site has."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.metrics import Metrics, parse, scrape
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "operations"
RULES, TESTS, BOARD = FOLDER / "alerts.yml", FOLDER / "alerts.test.yml", FOLDER / "grafana.json"
SELECTOR = re.compile(r"\b(queueing_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')


@pytest.fixture
def metrics(transactional_db: None, settings: Any) -> Metrics:
    return parse(scrape(settings))


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(BOARD.read_text())["panels"])


def of_board() -> Iterator[str]:
    """The expressions of the board, with numbers in place of Grafana's variables."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "5m").replace("$line", ".*")


def promtool(*arguments: str | Path) -> str:
    """The output; "" if promtool has nothing to say against it. A test without it is skipped."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is missing; docs/operations/README.md says how to get it")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, cwd=FOLDER)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_rules_fire_when_they_should_and_only_then() -> None:
    assert promtool("check", "rules", RULES) == ""
    assert promtool("test", "rules", TESTS) == ""
    assert promtool("check", "config", "--syntax-only", "prometheus.yml") == ""


def test_each_rule_is_tried_by_what_fires_it_and_by_what_does_not() -> None:
    tried: dict[str, set[bool]] = {}
    for case in yaml.safe_load(TESTS.read_text())["tests"]:
        for asked in case["alert_rule_test"]:
            tried.setdefault(asked["alertname"], set()).add(bool(asked["exp_alerts"]))
    assert tried == {rule["alert"]: {True, False} for rule in alerts()}


def test_each_alert_says_where_to_look_first() -> None:
    table = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"`(Queue\w+)`", table)) == {rule["alert"] for rule in alerts()}


def test_the_expressions_of_the_board_are_expressions(tmp_path: Path) -> None:
    rules = [{"record": f"board:{number}", "expr": expression} for number, expression in enumerate(of_board())]
    path = tmp_path / "board.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    assert promtool("check", "rules", path) == ""


def test_the_panels_of_the_board_stand_beside_each_other() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for one, other in combinations([panel["gridPos"] for panel in panels()], 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert is_beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert one["x"] + one["w"] <= 24


@pytest.mark.parametrize("expressions", [lambda: [rule["expr"] for rule in alerts()], of_board])
def test_rules_and_board_name_what_the_site_tells(metrics: Metrics, expressions: Any) -> None:
    """Names, labels, and values of labels."""
    found = [selector for expression in expressions() for selector in SELECTOR.findall(expression)]
    assert len(found) > 20
    known = metrics.names | {"queueing_expected_wait_seconds"}  # it is missing where nothing is known
    assert {name for name, _ in found} <= known
    for name, labels in found:
        for label, operator, value in LABEL.findall(labels):
            values = {dict(of)[label] for called, of in metrics if called == name and label in dict(of)}
            assert values or name not in metrics.names, f"{name} has no label {label}"
            if operator in {"=", "!="} and name in metrics.names:
                assert value in values
            if operator == "=~" and value != ".*":
                assert set(value.split("|")) <= values


def test_the_document_names_every_metric_and_no_other(metrics: Metrics) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text[text.index("### Metrics") : text.index("In the log, beside")]
    named = set(re.findall(r"queueing_[a-z_]+", section))
    told = {name for name in metrics.names if name.startswith("queueing_")} | {"queueing_expected_wait_seconds"}
    histograms = {name.removesuffix("_bucket") for name in told if name.endswith("_bucket")}
    parts = {histogram + suffix for histogram in histograms for suffix in ("_bucket", "_sum", "_count")}
    assert named == (told - parts) | histograms
