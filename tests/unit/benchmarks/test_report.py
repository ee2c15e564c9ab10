"""The choice of what `make bench` measures, and the table that it prints."""

from dataclasses import replace

from tests.benchmarks.__main__ import MACHINES, PLAN, WHEN_ASKED, chosen
from tests.benchmarks.report import Row, explained, plain

KEPT = Row("places kept", "", [100.0], rival=[0.0], meaning="Pages that are loaded again.")


def test_a_plain_bench_leaves_out_what_installs_packages_of_its_own() -> None:
    modules = [module for module, _ in chosen([])]
    assert "gradio" not in modules
    assert {*modules} | WHEN_ASKED == {module for module, _ in PLAN}
    assert [module for module, _ in chosen(["gradio", "joining"])] == ["joining", "gradio"]
    assert {module for module, _ in chosen(["machines"])} == MACHINES


def test_a_row_beside_a_rival_of_zero_has_no_ratio() -> None:
    assert KEPT.ratio is None
    assert "0  (0 to 0, 1 runs)" in plain([KEPT])
    assert replace(KEPT, rival=[50.0]).ratio == 2


def test_rows_of_one_name_are_explained_once() -> None:
    again = replace(KEPT, database="PostgreSQL")
    assert explained([KEPT, again]) == "- **places kept**: Pages that are loaded again."
