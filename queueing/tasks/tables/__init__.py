"""The heavy task "tables": a CSV file in, a profile of its columns out, streamed.

    form.py          refuses what is no table, before anything is stored
    encoding.py      bytes -> UTF-8
    dialect.py       delimiter, names and decimal mark, from the first lines; header.py
    profile.py       from path to profile, through the modules that use polars:
      reading.py       UTF-8 -> blocks of rows
      column.py        blocks of values -> the facts about one column; distribution.py for numbers and dates
      sketches.py      what is kept of a column, in bounded memory
      kinds.py         which texts are missing values, numbers or dates
    page.py          profile -> what the page shows; card.py, words.py, charts.py

polars starts threads when it is imported, and a worker forks for each job: so profile.py is imported inside the task,
and neither the web processes nor a worker's parent ever load polars.
"""

import json
from typing import Any

from django.tasks import task

from queueing.tasks import Context, HeavyTask
from queueing.tasks.tables.form import TableForm
from queueing.tasks.tables.page import page


# Our backend hands in its own context, a TaskContext that can do more; @task only knows of the plain one.
@task(queue_name="tables", takes_context=True)  # type: ignore[arg-type]
def profile_table(context: Context, header: str = "auto") -> dict[str, Any]:
    """What the page shows of the visitor's table; all of the profile is in profile.json."""
    from queueing.tasks.tables.profile import profile  # loads polars, see above

    with context.input_file() as path:
        found = profile(path, header=header, progress=context.progress)
    content = json.dumps(found, ensure_ascii=False, indent=1).encode()
    context.save_file("profile.json", content, "application/json")
    return page(found)


heavy_task = HeavyTask(
    task=profile_table,
    title="Profile a table",
    summary="Hand in a CSV or TSV file and see what is in each column: types, gaps, ranges and frequent values.",
    verb="Reading the table",
    form=TableForm,
    result_template="queueing/results/tables.html",
    timeout=900,
    sample="table.csv",
    on_leave="stop",
)
