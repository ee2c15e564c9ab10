"""The task "tables", and its registration as a heavy task."""

import json
import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.tasks import task

from queueing.registry import Context, HeavyTask
from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.form import TableForm
from queueing.tasks.tables.page import page


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="tables", takes_context=True)  # type: ignore[arg-type]
def profile_table(context: Context, **options: Any) -> dict[str, Any]:
    """The result that the page shows; saves the whole profile as profile.json, and the table as Parquet if asked to.

    `options` are the fields of `Choices`. Raises UnusableInput and VisitorLeft.
    """
    from queueing.tasks.tables.profile import profile  # loads DuckDB: see the docstring of the package

    choices = Choices(**options)
    with context.input_file() as path, tempfile.TemporaryDirectory() as folder:
        parquet = Path(folder) / "table.parquet" if choices.parquet else None
        found = profile(path, choices=choices, progress=context.progress, parquet=parquet)
        if parquet:
            with parquet.open("rb") as file:
                context.save_file("table.parquet", File(file), "application/vnd.apache.parquet")
    content = json.dumps(found, ensure_ascii=False, indent=1).encode()
    context.save_file("profile.json", content, "application/json")
    return page(found)


heavy_task = HeavyTask(
    task=profile_table,
    title="Profile a table",
    summary="Hand in a CSV or TSV file and see what is in each column: types, gaps, ranges and frequent values.",
    verb="Reading the table",
    form=TableForm,
    result_template="tables/result.html",
    isolated=True,
    # DuckDB looks there for limits of memory and processors, and ends if it may not.
    readable=(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")),
    timeout=900,
    typical_seconds=5,  # most tables have less than 50 MB
    processes=0,
    sample=Path(__file__).parent / "sample" / "table.csv",
)
