"""Containers by podman, for the walks: how it is called here, and a Debian to begin with."""

import subprocess
import tempfile
from pathlib import Path

DEBIAN = "trixie"
PODMAN = ("podman", "--storage-driver=vfs", "--runtime=runc")
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")  # of a network that brings its own
SHARED = f"--volume={AUTHORITIES}:{AUTHORITIES}:ro"


def podman(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command of podman. Raises CalledProcessError, whose text is in `stderr`."""
    return subprocess.run([*PODMAN, *arguments], capture_output=True, text=True, check=check)


def make_debian(image: str, *packages: str) -> None:
    """An image of a fresh Debian with these packages, made by debootstrap."""
    with tempfile.TemporaryDirectory(prefix="debian-") as folder:
        root = Path(folder, "root")
        made = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", DEBIAN, str(root)]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        archive = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        taken = [*PODMAN, "import", "--quiet", "-", image]
        subprocess.run(taken, stdin=archive.stdout, check=True, capture_output=True)
        assert archive.wait() == 0
