"""A Valkey of a test's own, which can have every fault."""

import signal
import subprocess

from tests.support.servers import free_port, start_valkey


class OwnValkey:
    """A Valkey that can be stopped (it hangs), killed, and started again on the same port, empty."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] = start_valkey(self.port)

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def start(self) -> None:
        self.process = start_valkey(self.port)
