"""The rules that `make mutants` breaks are in the code as they are named there, and so are their tests."""

import pytest

from tests.mutants.rules import MUTANTS, Mutant
from tests.soak.faults import FAULTS
from tests.support.paths import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_rule_that_is_broken_is_in_the_code_once(mutant: Mutant) -> None:
    assert (ROOT / mutant.path).read_text().count(mutant.old) == 1
    path, _, name = mutant.test.partition("[")[0].partition("::")
    assert f"def {name}(" in (ROOT / "tests" / path).read_text()


def test_each_mutant_breaks_something_of_its_own() -> None:
    assert len({(mutant.path, mutant.old, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.rule for mutant in MUTANTS}) == len(MUTANTS)


def test_the_faults_that_a_soak_is_asked_for_are_known() -> None:
    parts = [part for mutant in MUTANTS for part in mutant.soak.split(",") if part]
    assert [part for part in parts if not any(part in name for name in FAULTS)] == []
