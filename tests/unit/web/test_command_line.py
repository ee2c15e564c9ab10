"""The options of the web process."""

import pytest

from queueing.web.command_line import CommandLine


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--ping-interval", "5", "--ping-timeout", "5"], "--ping-timeout must be shorter than --ping-interval"),
        (["--ping-interval", "20", "--ping-timeout", "15"], "A dead connection keeps its place"),
        (["--websocket-max-message-size", "100"], "smaller than a page's frame"),
        (["django.core.asgi:get_asgi_application"], "The application is not this site"),
    ],
)
def test_arguments_that_do_not_fit_end_the_web_process(arguments: list[str], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        CommandLine().checked(arguments)


def test_arguments_that_fit_are_passed_on() -> None:
    arguments = ["--port", "80", "--ping-interval", "9", "config.asgi:application"]
    assert CommandLine().checked(arguments) == arguments
