"""Health checks of containers without a port: `python -m queueing.alive keeper`, or `worker`; exit code 0 or 1.

It asks Redis at the address of the settings, as the processes do, and loads no more of Django: an orchestrator asks
every few seconds.
"""

import os
import socket
import sys


def main(parts: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from queueing.line import signs  # it imports django_rq, which reads the settings

    match parts:
        case ["keeper"]:
            return 0 if signs.is_keeper_alive() else 1
        case ["worker"]:
            return 0 if signs.has_worker(socket.gethostname()) else 1
    sys.stderr.write("usage: python -m queueing.alive keeper|worker\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
