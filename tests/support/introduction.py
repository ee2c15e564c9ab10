"""A command that tells what it finds when it starts, and ends with 3."""

import atexit
import json
import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    atexit.register(print, "the end")
    print(  # noqa: T201
        json.dumps(
            {
                "arguments": sys.argv,
                "environment": dict(os.environ),
                "folder": str(Path.cwd()),
                "path": sys.path,
                "module": sys.modules["__main__"].__name__,
                "descriptors": sorted(path.name for path in Path("/proc/self/fd").iterdir() if path.exists()),
                "leads its session": os.getsid(0) == os.getpid(),
                "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
                "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
                "buffered": sys.stdout.line_buffering or not sys.stdout.write_through,  # type: ignore[union-attr]
                "settings": "config.settings" in sys.modules,
                "reactor": "twisted.internet.reactor" in sys.modules,
            }
        )
    )
    sys.exit(3)
