"""The limits of bodies hold for the pages of the queue, wherever a site includes them, and for no others."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from queueing.web.asgi import Below, with_queue


@pytest.mark.parametrize(
    ("path", "root", "app"),
    [
        ("/queue/join/words/", "", "ours"),
        ("/queue/", "", "ours"),
        ("/queues/", "", "others"),
        ("/api/", "", "others"),
        ("/shop/queue/entry/", "/shop", "ours"),
        ("/shop/queue/entry/", "/shop/", "ours"),
        ("/queue/entry/", "/qu", "ours"),  # no folder of this path
        ("/queue/entry/", "/queue", "others"),
    ],
)
async def test_a_path_below_the_prefix_is_ours(path: str, root: str, app: str) -> None:
    called: list[str] = []

    def named(name: str) -> Any:
        async def call(scope: Any, receive: Any, send: Any) -> None:
            called.append(name)

        return call

    below = Below(lambda: "/queue/", named("ours"), others=named("others"))
    await below({"type": "http", "path": path, "root_path": root}, None, None)
    assert called == [app]


def test_routes_that_are_no_application_are_refused() -> None:
    """At the start: at the first socket it would be an error that names neither."""
    routes: Any = ["ws/echo/"]
    with pytest.raises(ImproperlyConfigured, match=r"not a list. Write URLRouter\(routes\)"):
        with_queue(named_nowhere, routes)


async def named_nowhere(*_: object) -> None:
    """An application."""
