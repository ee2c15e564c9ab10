"""The numbers that the site tells, read as staff, machines and visitors read them."""

import csv
import io
import json
import re
from collections import Counter
from typing import Any

from django.conf import settings
from django.urls import reverse

from queueing.goodput import Waste
from tests.support.commands import run_command
from tests.support.honesty.truth import Numbers
from tests.support.metrics import Metrics
from tests.support.visitors import Visitor

SUMS = ("present", "held", "running")  # that the board has for all lines together
UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
REASONS = ("unusable", "error", "timeout", "crashed", "orphaned", "left", "ended", "unseen", "closed", "lost")
CARD = re.compile(r'<a href="/join/(\w+)/">.*?<div class="length">(.*?)</div>\s*</li>', re.DOTALL)


def board(boss: Visitor) -> Numbers:
    """The live panel of the admin, as its script gets it."""
    answer = boss.client.get(reverse("admin:queueing_board")).json()
    assert not answer["away"]
    told: Numbers = {}
    for part, text in answer["parts"].items():
        queue, name = part.split(":")
        if queue == "all":
            parts = [answer["parts"][f"{line}:{name}"] for line in settings.QUEUEING_TASKS]
            assert name not in SUMS or int(text) == sum(map(int, parts))
        elif name in SUMS:
            told[queue, name] = int(text)
        elif name == "oldest":
            told[queue, name] = seconds_of(text)
        elif name == "workers":
            numbers = [int(number) for number in re.findall(r"\d+", text)] or [0, 0]
            told |= {(queue, "busy"): numbers[0], (queue, "idle"): numbers[1]}
    return told


def statistics() -> list[dict[str, Any]]:
    """The output of `queue_stats --json`."""
    lines: list[dict[str, Any]] = json.loads(run_command("queue_stats", "--json"))
    return lines


def of_statistics(lines: list[dict[str, Any]]) -> Numbers:
    """`queue_stats --json`."""
    told: Numbers = {}
    for line in lines:
        names = ("present", "held", "running", "busy", "idle", "workers", "goodput", "not_seen_yet", "waste", "skipped")
        numbers = {name: line[name] for name in names} | line["waste_by_cause"] | {"oldest": line["oldest_wait"] or 0}
        told |= {(line["queue"], name): number for name, number in numbers.items()}
    return told


def in_words() -> Numbers:
    """`queue_stats` as a person reads it."""
    told: Numbers = {}
    for sentence in run_command("queue_stats").splitlines():
        queue = re.split(r"[ :]", sentence, maxsplit=1)[0]
        for name in ("present", "held", "running", "workers"):
            told[queue, name] = int(_found(rf"(\d+) {name}", sentence))
        told[queue, "skipped"] = int(_found(r"(\d+) left before their start", sentence))
    return told


def of_metrics(found: Metrics) -> Numbers:
    """/metrics: every number of every line."""
    told: Numbers = {}
    for queue in settings.QUEUEING_TASKS:
        numbers = _gauges(found, queue) | _counters(found, queue)
        for name in ("wait", "run"):
            bounds = found.all_of(f"queueing_{name}_seconds_bucket", line=queue)
            assert bounds.pop("+Inf") == found.of(f"queueing_{name}_seconds_count", line=queue)
            numbers |= {f"{name} le {bound}": number for bound, number in bounds.items()}
            for part in ("sum", "count"):
                numbers[f"{name} {part}"] = found.of(f"queueing_{name}_seconds_{part}", line=queue)
        told |= {(queue, name): number for name, number in numbers.items()}
    return told


def waits(found: Metrics) -> dict[str, tuple[float, float] | None]:
    """The expected wait of each line in /metrics."""
    told = {queue: found.all_of("queueing_expected_wait_seconds", line=queue) for queue in settings.QUEUEING_TASKS}
    return {queue: (wait["low"], wait["high"]) if wait else None for queue, wait in told.items()}


def states(found: Metrics, lines: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The state of each line, wherever it is told."""
    of_metrics = {
        queue: next(state for state, is_it in found.all_of("queueing_line_state", line=queue).items() if is_it)
        for queue in settings.QUEUEING_TASKS
    }
    return {
        "/metrics": of_metrics,
        "/readyz": Visitor().client.get("/readyz").json()["lines"],
        "queue_stats": {line["queue"]: line["state"] for line in lines},
    }


def first_page() -> Numbers:
    """The first page of a visitor. A closed line tells no numbers."""
    told: Numbers = {}
    for queue, card in CARD.findall(Visitor().client.get("/").content.decode()):
        if "Closed for the moment" in card:
            continue
        assert "in line" in card
        told[queue, "present"] = int(_found(r"<strong>(\d+) in line", card))
        told[queue, "running"] = int(_found(r"(\d+) being served", card))
        told[queue, "held"] = int(_found(r"(\d+) who (?:is|are) away may return", card))
        drawn = card.count("<i></i>"), card.count('<i class="held"></i>')
        assert drawn == (min(told[queue, "present"], 24), min(told[queue, "held"], 6))
    assert told or "Closed for the moment" in card
    return told


def of_the_past(boss: Visitor) -> Numbers:
    """The sums of the CSV of the last 30 days. A start that was undone is none there."""
    told: Numbers = {}
    for queue in settings.QUEUEING_TASKS:
        text = boss.client.get(reverse("admin:queueing_line_csv", args=[queue]), {"period": "month"}).content.decode()
        sums: Counter[str] = Counter()
        for row in csv.DictReader(io.StringIO(text)):
            sums.update(
                {name: float(value) for name, value in row.items() if name not in {"from", "happened"} and value}
            )
        names = ("joined", "started", "succeeded", "failed", "gone", "passed_over", "lost_attempts", *REASONS)
        told |= {(queue, f"ever {name}"): sums[name] for name in names}
        told |= {(queue, "ever held"): sums["holds"], (queue, "ever back"): sums["returns"]}
        times = ("goodput", "waited", "ran", *(f"waste_{cause.value}" for cause in Waste))
        told |= {(queue, f"ever {name}"): sums[f"{name}_seconds"] * 1e6 for name in times}
    return told


def seconds_of(text: str) -> float:
    """A duration as the board tells it: 3 min 5 s."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([\d.]+) (d|h|min|s)\b", text))


def _gauges(found: Metrics, queue: str) -> dict[str, float]:
    names = ("present_entries", "held_entries", "running_entries", "not_seen_yet_seconds")
    told = {name.rsplit("_", 1)[0]: found.of(f"queueing_{name}", line=queue) for name in names}
    told["oldest"] = found.of("queueing_oldest_wait_seconds", line=queue)
    told |= {name: found.of(f"queueing_{name}", line=queue) for name in ("stored_bytes", "stored_entries")}
    return told | found.all_of("queueing_workers", line=queue)


def _counters(found: Metrics, queue: str) -> dict[str, float]:
    names = {
        "joined": "joins", "starts": "starts", "undone": "undone_starts", "passed_over": "passed_over", "held": "holds",
        "back": "returns", "lost_attempts": "lost_attempts",
    }  # fmt: skip
    told = {f"ever {name}": found.of(f"queueing_{metric}_total", line=queue) for name, metric in names.items()}
    ends = {tuple(key.split(" ")): number for key, number in found.all_of("queueing_ends_total", line=queue).items()}
    told |= {f"ever {reason}": number for (_, reason), number in ends.items() if reason}
    for kind in ("succeeded", "failed", "gone"):
        told[f"ever {kind}"] = sum(number for (named, _), number in ends.items() if named == kind)
    told["ever goodput"] = found.of("queueing_goodput_seconds_total", line=queue) * 1e6
    for cause, seconds in found.all_of("queueing_waste_seconds_total", line=queue).items():
        told[f"ever waste_{cause}"] = seconds * 1e6
    return told


def _found(pattern: str, text: str) -> str:
    """The number in the text; 0 if the text has none."""
    found = re.search(pattern, text)
    return found[1] if found else "0"
