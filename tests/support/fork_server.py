"""A fork server: a process that has imported the libraries, and forks the commands of the tests.

The imports cost each process most of a second of CPU. The child of a fork has them already; all else is its own: the
environment, the settings, the modules of the project, the session, and the end of its interpreter.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from typing import IO

from tests.support.paths import ROOT

# Libraries that read no settings when they are imported, start no thread, and open nothing that a fork must not share.
# `daphne.server` is not among them: it makes an event loop.
LIBRARIES = (
    "asyncio", "autobahn.websocket.protocol", "channels.layers", "channels.routing", "channels_redis.pubsub",
    "croniter", "csv", "django.contrib.admin", "django.contrib.messages.storage.base",
    "django.contrib.staticfiles.finders", "django.core.asgi", "django.core.handlers.asgi", "django.core.management",
    "django.core.management.commands.check", "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base",
    "django.db.migrations.executor", "django.db.models", "django.forms", "django.tasks.base",
    "django.template.defaultfilters", "django.template.defaulttags", "django.template.loader_tags",
    "django.templatetags.i18n", "django.views.debug", "django.views.i18n", "PIL.ImageFont", "PIL.ImageOps",
    "PIL.TiffImagePlugin", "prometheus_client", "psutil", "psycopg", "psycopg_pool", "pypdfium2", "redis.asyncio",
    "rq.cron", "rq.serializers", "rq.worker", "rq.worker_pool", "service_identity.pyopenssl", "tarfile",
    "twisted.internet.ssl", "twisted.web.http",
)  # fmt: skip
LONGEST = 128 * 1024  # bytes of a command with its environment


class Forked(subprocess.Popen[bytes]):
    """A child of the server, with the methods of a child of this process."""

    def __init__(self, command: tuple[str, ...], line: socket.socket) -> None:
        self.args, self.returncode, self._line = command, None, line
        self._ending = threading.Lock()  # the end arrives once, and several threads may ask for it
        self.stdin = self.stdout = self.stderr = None
        self._child_created = False  # no child of this process
        self.pid = int(line.recv(100) or 0)
        if not self.pid:
            raise RuntimeError("The fork server has ended")

    def poll(self) -> int | None:
        return self._end(0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._end(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _end(self, timeout: float | None) -> int | None:
        with self._ending:
            if self.returncode is None:
                with selectors.DefaultSelector() as selector:
                    selector.register(self._line, selectors.EVENT_READ)
                    if selector.select(timeout):
                        code = self._line.recv(100)
                        self._line.close()
                        if not code:
                            raise RuntimeError("The fork server has ended")
                        self.returncode = int(code)
            return self.returncode


class ForkServer:
    """A server of this process of pytest. `variables` are those that a library of C reads when it is loaded."""

    def __init__(self, variables: dict[str, str] | None = None) -> None:
        self.control, its_end = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with its_end:
            environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(its_end.fileno())],
                cwd=ROOT,
                env=environment | {"PYTHONUNBUFFERED": "1"} | (variables or {}),
                pass_fds=[its_end.fileno()],
                start_new_session=True,
            )
        atexit.register(self.end)

    def fork(self, command: tuple[str, ...], environment: dict[str, str], log: IO[bytes]) -> Forked:
        """A process that runs this command of Python's in its own session."""
        ours, its_end = socket.socketpair(type=socket.SOCK_SEQPACKET)  # so that a pid and an exit code stay apart
        with its_end:
            socket.send_fds(self.control, [b"x"], [its_end.fileno(), log.fileno()])
        ours.send(json.dumps([command, environment]).encode())
        return Forked(command, ours)

    def end(self) -> None:
        self.control.close()
        self.process.wait(10)


@cache
def fork_server() -> ForkServer:
    return ForkServer()


def can_fork(environment: dict[str, str]) -> bool:
    """False if it has other variables than the server that an interpreter or a library of C reads when it starts."""
    read = {name for name in environment.keys() | os.environ if name.startswith(("PYTHON", "LD_", "MALLOC_", "OMP_"))}
    return all(environment.get(name) == os.environ.get(name) for name in read - {"PYTHONUNBUFFERED"})


def _serve(control: socket.socket) -> tuple[list[str], dict[str, str]] | None:
    """Fork on request. Returns the command in a child; in the server None, at the end of the tests."""
    children: dict[int, socket.socket] = {}
    ended, signaled = socket.socketpair()
    for end in (ended, signaled):
        end.setblocking(False)
    signal.set_wakeup_fd(signaled.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(ended, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if ended in ready:
                ended.recv(1000)
                _tell_ends(children)
            if control in ready:
                message, descriptors, _, _ = socket.recv_fds(control, 1, 2)
                if not message:
                    return None
                line, log = socket.socket(fileno=descriptors[0]), descriptors[1]
                command, environment = json.loads(line.recv(LONGEST))
                if pid := os.fork():
                    os.close(log)
                    line.send(b"%d" % pid)
                    children[pid] = line
                    continue
                _leave(log, control, ended, signaled, line, *children.values())
                return command, environment


def _tell_ends(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with children.pop(pid) as line:
            line.send(b"%d" % os.waitstatus_to_exitcode(status))


def _leave(log: int, *inherited: socket.socket) -> None:
    """In the child: have nothing of the server any more, but a session and a log of one's own."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in inherited:
        one.close()
    os.setsid()
    for standard in (1, 2):
        os.dup2(log, standard)
    os.close(log)


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Become `python COMMAND` in this environment."""
    os.environ.clear()
    os.environ.update(environment)
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name="__main__")


def main() -> None:
    for library in LIBRARIES:
        import_module(library)
    gc.collect()
    gc.freeze()
    if request := _serve(socket.socket(fileno=int(sys.argv[1]))):
        _run(*request)


if __name__ == "__main__":
    main()
