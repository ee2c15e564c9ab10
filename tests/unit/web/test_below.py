"""The queue and the site around it have their own paths each, and the limits of bodies hold for ours alone."""

from typing import Any

import pytest

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


def test_routes_in_the_place_of_an_application_are_told_at_the_start() -> None:
    routes: Any = []
    with pytest.raises(TypeError, match="Wrap the routes"):
        with_queue(None, routes)  # type: ignore[arg-type]
