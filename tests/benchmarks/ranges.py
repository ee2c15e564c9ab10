"""The expected wait of many kinds of crowds: how often the shown range was right, and how good it was."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import fmean

from tests.benchmarks.replay.crowds import CROWDS, Crowd
from tests.benchmarks.replay.play import replay
from tests.benchmarks.replay.scores import COVERAGE, coverage, geometric_mean, mean_score
from tests.benchmarks.report import Row

SEEDS = (1, 2, 3)
BEGINNERS, BEGINNINGS = 6, 60  # first visitors of a line of which nothing is known, and such lines


def rows() -> Iterator[Row]:
    played = {name: [replay(crowd, seed) for seed in SEEDS] for name, crowd in CROWDS.items()}
    right = {name: [coverage(looks) for looks in seeds] for name, seeds in played.items()}
    scores = {name: [mean_score(looks) for looks in seeds] for name, seeds in played.items()}
    rivals = {name: [mean_score(looks, "rival") for looks in seeds] for name, seeds in played.items()}
    yield Row(
        "true waits inside the shown range, mean of the crowds", "%",
        [fmean(right[name][number] for name in CROWDS) for number in range(len(SEEDS))], ">=", 80,
        rival=[fmean(coverage(played[name][number], "rival") for name in CROWDS) for number in range(len(SEEDS))],
        meaning="Replays: a simulation of the visitors, workers and the keeper, which calls the site's own forecast. "
        "Looks at pages, some seconds after joining and then each minute on average. The rival is the site's "
        "earlier estimator, at the same looks. Also at most 90 % are meant: more would be a range that says little.",
    )  # fmt: skip
    yield Row(
        "interval score of the shown range, mean of the crowds", "x",
        [geometric_mean(scores[name][n] / rivals[name][n] for name in CROWDS) for n in range(len(SEEDS))], "<=", 0.8,
        meaning=f"The geometric mean over the crowds of the ratio to the rival's score. {_score()}",
    )  # fmt: skip
    for name in CROWDS:
        yield Row(f"true waits inside the range: {name}", "%", right[name], ">=", 80,
                  rival=[coverage(looks, "rival") for looks in played[name]], meaning=_about(CROWDS[name]))  # fmt: skip
    for name in CROWDS:
        yield Row(f"interval score: {name}", "s", scores[name], rival=rivals[name])
    yield _beginners()


def _beginners() -> Row:
    """The looks of the first visitors of all, when the task declares a typical time that is off by a half."""
    one = CROWDS["one line"]
    kind = replace(one.lines["one"], size=BEGINNERS, typical=90.0)
    beginning = replace(one, lines={"one": kind}, warm_up=0)
    looks = [look for seed in range(BEGINNINGS) for look in replay(beginning, seed) if look.rival is None]
    return Row(
        "true waits inside the range, first visitors of all", "%", [coverage(looks)],
        meaning=f"The looks of {BEGINNINGS} times the first {BEGINNERS} visitors of the kind \"one line\", until three "
        "runs have ended: before that, the rival tells them nothing. The task declares a typical time of 90 s, and its "
        "runs take 60 s on average.",
    )  # fmt: skip


def _score() -> str:
    return (
        f"The interval score for a nominal coverage of {COVERAGE:.0%}: the width, and 2 / {1 - COVERAGE:.2f} times the "
        "distance by which the range misses (R. Winkler, JASA 67, 1972; T. Gneiting and A. Raftery, JASA 102, 2007, "
        "equation 43). Small is good. In a long line with workers of its own nearly all of it is the chance of the "
        "runs to come, which nobody can know."
    )


def _about(crowd: Crowd) -> str:
    sizes = " and ".join(str(kind.size) for kind in crowd.lines.values())
    return f"{sizes} visitors on {len(crowd.workers)} workers, for each of {len(SEEDS)} seeds."
