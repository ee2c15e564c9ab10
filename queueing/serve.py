"""`python -m queueing.serve`: the web process of a site, daphne with the queue's limits. It takes daphne's own options.

It serves ASGI_APPLICATION of DJANGO_SETTINGS_MODULE on 127.0.0.1 and PORT. `--bind` and `--port` choose another
address; `--unix-socket`, `--fd` and `--endpoint` another kind of address.
"""

import resource
import sys

import daphne.server  # noqa: F401  # must come first: it chooses Twisted's reactor
import django
from django.core.exceptions import ImproperlyConfigured

from queueing import installed


def allow_many_files() -> None:
    """Raise the limit of open files as far as this user may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Serve until a signal arrives."""
    try:
        django.setup()
        installed.require()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    from queueing import shared_clock
    from queueing.checks.start import end_if_it_does_not_fit
    from queueing.web.command_line import CommandLine
    from queueing.web.database import use_pool
    from queueing.web.server import guard_handshakes

    command_line = CommandLine()
    arguments = command_line.checked(sys.argv[1:])
    end_if_it_does_not_fit(is_web=True)
    use_pool()
    shared_clock.follow()
    allow_many_files()
    guard_handshakes()
    command_line.run(arguments)


if __name__ == "__main__":
    main()
