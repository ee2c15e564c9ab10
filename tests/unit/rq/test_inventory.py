"""The contract with RQ: it names every override and every name that is relied upon, and the tests that show each.

A new release of RQ that behaves otherwise fails in a test of the contract, with a sentence that names the change and
the code that relies on it. These tests are the modules beside this one and tests/processes/test_rq_worker.py. The names
are in tests/support/rq_inventory.py; an override or an import of RQ's without an entry there fails here. Changed
signatures, and attributes that are gone, fail `make check`: RQ is typed, and mypy compares it with the code.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import redis
from django_rq.queues import DjangoRQ
from packaging.requirements import Requirement
from rq.job import Job
from rq.worker import Worker

from tests.support.paths import ROOT
from tests.support.rq_inventory import OVERRIDES, RELIED_UPON, WRITTEN_FOR, WRITTEN_TOO, Override, Reliance

TESTS = ROOT / "tests"
# Where the tests are that the inventory names without a module.
CONTRACT = [*TESTS.glob("unit/rq/test_*.py"), TESTS / "processes" / "test_rq_worker.py"]

# --- The version


@pytest.mark.parametrize("package", WRITTEN_FOR)
def test_the_installed_version_is_the_one_this_contract_was_written_for(package: str) -> None:
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.in").read_text().splitlines())
    allowed = {line.name: line.specifier for line in map(Requirement, filter(None, lines))}[package]
    assert allowed == Requirement(package + WRITTEN_FOR[package]).specifier, (
        f"requirements.in allows {package}{allowed}, and this contract was written for {WRITTEN_FOR[package]}: "
        f"read the changes of every name in its inventory, mend the tests that fail here, and then move WRITTEN_FOR."
    )
    assert allowed.contains(version(package)), (
        f"{package} {version(package)} is installed, and this contract was written for {WRITTEN_FOR[package]}: "
        f"run `make lock`, or, to move on, read the changes of every name in its inventory."
    )


# --- The inventory is complete


def rqs_bases(cls: type) -> list[type]:
    return [base for base in cls.__mro__[1:] if base.__module__.partition(".")[0] in {"rq", "django_rq"}]


def overridden(cls: type) -> set[str]:
    """Names that a class defines and that a base of RQ's has, too, without those that Python writes into each class."""
    written_by_python = {name for name in vars(cls) if name.startswith("__") and name != "__init__"}
    return {name for name in set(vars(cls)) - written_by_python if any(name in vars(b) for b in rqs_bases(cls))}


def own_attributes(cls: type) -> set[str]:
    """Names of a class and of its instances that are not RQ's."""
    nodes = ast.walk(ast.parse(inspect.getsource(cls)))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    assigned = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "self"}
    return (set(vars(cls)) | assigned) - overridden(cls)


@pytest.mark.parametrize("cls", OVERRIDES, ids=lambda cls: cls.__name__)
def test_every_override_has_a_contract(cls: type) -> None:
    found, written = overridden(cls), {override.name for override in OVERRIDES[cls]}
    missing, stale = found - written, written - found
    assert not missing, (
        f"{cls.__name__} has names that RQ has, too, without a contract: {sorted(missing)}. Meant as overrides: give "
        f"them entries in rq_inventory.OVERRIDES. Not meant: RQ's are new, and the names of ours must change."
    )
    assert not stale, f"OVERRIDES has entries that {cls.__name__} or RQ does not have any more: {sorted(stale)}"


@pytest.mark.parametrize("cls", OVERRIDES, ids=lambda cls: cls.__name__)
def test_rq_sets_nothing_on_its_objects_that_is_ours(cls: type, client: redis.Redis) -> None:
    if issubclass(cls, Job):
        plain: Any = Job("plain", connection=client)
    else:
        plain = (
            Worker(["probe"], connection=client) if issubclass(cls, Worker) else DjangoRQ("probe", connection=client)
        )
    taken = own_attributes(cls) & set(vars(plain)) - WRITTEN_TOO
    assert not taken, f"RQ's {type(plain).__name__} has attributes that {cls.__name__} uses otherwise: {sorted(taken)}"


def test_every_import_from_rq_has_a_contract() -> None:
    covered = [reliance.path for reliance in RELIED_UPON]
    covered += [f"{base.__module__}.{base.__name__}.x" for cls in OVERRIDES for base in rqs_bases(cls)]
    covered.append("rq.worker.Worker.x")  # where its base is exported
    imported = {name for path in sorted((ROOT / "queueing").rglob("*.py")) for name in imports_of_rq(path)}
    assert {"rq.job.Job", "django_rq.queues.DjangoRQ"} <= imported
    bare = {name for name in imported if not any(f"{path}.".startswith(f"{name}.") for path in covered)}
    assert not bare, f"The code imports {sorted(bare)}, and RELIED_UPON has no entry that says what for."


def imports_of_rq(path: Path) -> Iterator[str]:
    """Dotted names of RQ's that a module imports, by statement or by `import_module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {"rq", "django_rq"}:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in {"rq", "django_rq"})
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "import_module":
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def named_tests() -> list[str]:
    overrides = [override for overrides in OVERRIDES.values() for override in overrides]
    entries: list[Override | Reliance] = [*overrides, *RELIED_UPON]
    return sorted({name for entry in entries for name in entry.shown_by.split()})


@pytest.mark.parametrize("name", named_tests())
def test_the_tests_that_the_inventory_names_exist(name: str) -> None:
    module, _, function = name.rpartition(".")
    modules = [TESTS.joinpath(*module.split(".")).with_suffix(".py")] if module else CONTRACT
    there = {test for path in modules for test in names_of_tests(path)}
    assert function in there, f"The inventory says that {name} shows what RQ does, and there is no such test."


def names_of_tests(path: Path) -> Iterator[str]:
    return (node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("reliance", RELIED_UPON, ids=lambda reliance: reliance.path)
def test_rq_still_has_the_names_that_are_relied_upon(reliance: Reliance) -> None:
    assert resolve(reliance.path) is not None, f"{reliance.path} is gone: {reliance.why}"


def resolve(path: str) -> Any:
    """The object at a dotted path; None when a part of it is missing."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name, None)
        return found
    return None
