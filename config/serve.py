"""`python -m config.serve`: the web process, daphne with this site's limits. It takes daphne's own options.

It listens on 127.0.0.1 and $PORT. `--bind` and `--port` choose another address; `--unix-socket`, `--fd` and
`--endpoint` another kind of address.
"""

import resource
import sys

import daphne.server  # noqa: F401  # must come first: it chooses Twisted's reactor

import config.asgi  # noqa: F401  # sets Django up, which the imports below need
from queueing.web.command_line import CommandLine
from queueing.web.server import guard_handshakes


def allow_many_files() -> None:
    """Raise the limit of open files as far as this user may: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Serve until a signal arrives."""
    allow_many_files()
    guard_handshakes()
    CommandLine().run(sys.argv[1:])


if __name__ == "__main__":
    main()
