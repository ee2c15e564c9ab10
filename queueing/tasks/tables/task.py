"""The task "tables", and its registration as a heavy task."""

import json
from pathlib import Path
from typing import Any

from django.tasks import task

from queueing.registry import Context, HeavyTask
from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.form import TableForm
from queueing.tasks.tables.page import page


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="tables", takes_context=True)  # type: ignore[arg-type]
def profile_table(context: Context, **chosen: Any) -> dict[str, Any]:
    """The result that the page shows; saves the whole profile as profile.json. Raises UnusableInput and VisitorLeft.

    `chosen` are the fields of Choices.
    """
    from queueing.tasks.tables.profile import profile  # loads polars: see the docstring of the package

    choices = Choices(**chosen)
    with context.input_file() as path:
        found = profile(path, header=choices.header, progress=context.progress)
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
    timeout=900,
    typical_seconds=5,  # most tables have less than 50 MB
    processes=0,
    sample=Path(__file__).parent / "sample" / "table.csv",
)
