"""The Valkey of a soak."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests.support import servers


class Valkey:
    """A Valkey that writes all down, so that it can come back as it was, as it was some time ago, or empty."""

    def __init__(self) -> None:
        self.port = servers.free_port()
        self.folder = Path(tempfile.mkdtemp(dir=servers.FOLDER))
        self.start()

    @property
    def written(self) -> Path:
        return self.folder / "appendonlydir"

    def start(self) -> None:
        options = ["--dir", str(self.folder), "--appendonly", "yes", "--appendfsync", "no"]
        self.process: subprocess.Popen[bytes] = servers.start_valkey(self.port, *options)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.kill()

    def come_back(self, copy: Path | None) -> None:
        """Start again with what was written until this copy was made; None: with nothing."""
        shutil.rmtree(self.written)
        if copy is not None:
            shutil.copytree(copy, self.written)
        self.start()
