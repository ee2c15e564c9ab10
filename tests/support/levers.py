"""The levers of a line, as staff set them."""

from typing import Any

from queueing import steering
from queueing.line.clients import connection
from queueing.line.levers import Levers, publish
from queueing.models import Line


def set_levers(queue: str = "probe", **columns: Any) -> Levers:
    """Write these columns of the line's row, and the copy in Redis."""
    line = steering.row_of(queue)
    Line.objects.filter(pk=line.pk).update(**columns)
    return publish(connection(), queue)
