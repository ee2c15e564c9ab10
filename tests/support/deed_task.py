"""The line "deeds" of `deed_settings`, with a form whose checkers misbehave."""

from django.tasks import task

from queueing.registry import Context, HeavyTask
from tests.support.deeds import DeedForm


@task(queue_name="deeds", takes_context=True)  # type: ignore[arg-type]  # our context can do more than Django's
def do(context: Context) -> None:
    """Never runs."""


heavy_task = HeavyTask(
    task=do,
    title="Deeds",
    summary="A form that does what its file says.",
    verb="Doing",
    form=DeedForm,
    result_template="tables/result.html",
    timeout=60,
)
