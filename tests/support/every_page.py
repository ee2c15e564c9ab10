"""One page of every kind that the site has."""

import uuid
from collections.abc import Callable
from typing import Any

from queueing.models import Entry, Line
from queueing.states import Reason
from tests.support.levers import set_levers
from tests.support.visitors import FORM, Visitor, finished, staff, url


def rendered(settings: Any) -> dict[str, Any]:
    """Every kind of page, by name."""
    visitor = Visitor()
    pages = {"home": visitor.client.get("/"), "form": visitor.client.get(FORM), "unusable": visitor.send(file="")}
    entry = visitor.join()
    pages["waiting"] = visitor.client.get(url(entry))
    moves: dict[str, Callable[[Entry], Any]] = {
        "running": lambda moving: moving.start("w"),
        "failed": lambda moving: moving.fail(Reason.ERROR, "No."),
    }
    for name, move in moves.items():
        move(entry)
        pages[name] = visitor.client.get(url(entry))
    other = visitor.join()
    other.abandon(Reason.LOST)
    pages["abandoned"] = visitor.client.get(url(other))
    other = visitor.join()
    other.cancel()
    pages["cancelled"] = visitor.client.get(url(other))
    pages["succeeded"] = visitor.client.get(url(finished(visitor)))
    pages["keep refused"] = _refused_keep()
    settings.QUEUEING = {"BRAKE": "on"}
    pages["form with the brake"] = visitor.client.get(FORM)
    set_levers(state="closed", sentence="Until Monday.")
    pages["refused"] = visitor.send()
    pages["unknown"] = visitor.client.get(f"/entry/{uuid.uuid4()}/")
    pages["forbidden"] = Visitor(enforce_csrf_checks=True).send()
    looker = staff("view", "change")
    steerer = staff("view_line", "change_line")
    pages["admin lines"] = looker.client.get("/admin/queueing/line/")
    pages["admin levers"] = steerer.client.get("/admin/queueing/line/")
    pages["admin lever"] = steerer.client.get(f"/admin/queueing/line/{Line.objects.get(queue='probe').pk}/change/")
    pages["admin line history"] = looker.client.get("/admin/queueing/line/page/probe/")
    pages["admin index"] = looker.client.get("/admin/")
    pages["admin workers"] = looker.client.get("/admin/queueing/entry/workers/")
    pages["admin failures"] = looker.client.get("/admin/queueing/entry/failures/")
    pages["admin list"] = looker.client.get("/admin/queueing/entry/")
    pages["admin entry"] = looker.client.get(f"/admin/queueing/entry/{entry.pk}/change/")
    return pages


def _refused_keep() -> Any:
    """The page that says that it is too early to keep the place."""
    visitor = Visitor()
    return visitor.client.post(url(visitor.join(), "keep/"))
