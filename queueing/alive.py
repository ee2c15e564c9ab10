"""Health checks of containers without a port: `python -m queueing.alive keeper`, or `worker`; exit code 0 or 1.

It asks Redis at the address of the settings, as the processes do, and loads no more of Django: an orchestrator asks
every few seconds.
"""

import os
import socket
import sys
from datetime import UTC, datetime, timedelta

SILENCE = timedelta(seconds=60)  # an idle worker tells each 15 s that it is there, a busy one more often


def is_alive(part: str) -> bool:
    """True if a keeper made a round lately; or if a worker of this host has said lately that it is there.

    Raises RedisError while Redis cannot be asked.
    """
    from rq import Worker

    from queueing.line import signs
    from queueing.line.clients import connection

    if part == "keeper":
        return signs.is_keeper_alive()
    since = datetime.now(UTC) - SILENCE
    here = [one for one in Worker.all(connection=connection()) if one.hostname == socket.gethostname()]
    return any(one.last_heartbeat and one.last_heartbeat > since for one in here)


def main(parts: list[str]) -> int:
    if parts not in (["keeper"], ["worker"]):
        sys.stderr.write("usage: python -m queueing.alive keeper|worker\n")
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    return 0 if is_alive(parts[0]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
