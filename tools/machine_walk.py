"""Walks the section "Without Docker" of docs/operations.md word for word, on a fresh Debian 13 with systemd.

    python -m tools.machine_walk

debootstrap makes the machine, podman boots it as a container with the network of this one. Each command is the
document's own, as root: `apt-get`, `useradd` and `systemctl` included. Only the first user's name and password are
given by options. It takes five minutes or more; it needs root, debootstrap, podman and runc, and the ports of
PostgreSQL, Valkey, nginx and the site. Where this machine lets a container mount, the units are confined as on a real
one (ProtectSystem, PrivateTmp), and a folder elsewhere is walked, too; else a line says that they are not.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.containers import AUTHORITIES, LIMITS, PODMAN, SHARED, make_debian, podman
from tools.walk import (
    BLOCK,
    FIRST_USER,
    ROOT,
    WalkFailed,
    backup_blocks,
    blocks,
    code_of_tree,
    new_version,
    nginx_of_document,
    proxy_blocks,
)

IMAGE = "client-queue-walk"
PORTS = (80, 443, 5432, 6379, 8000)
FAILED = "systemctl list-units --failed --no-legend"
# Systemd may give its units a view of their own there. Two are masked: the kernel that they change is this machine's.
OF_THE_KERNEL = ("systemd-sysctl", "systemd-modules-load")
MASKED = (f"--volume=/dev/null:/etc/systemd/system/{name}.service:ro" for name in OF_THE_KERNEL)
PRIVILEGED = ("--privileged", *MASKED)
WEB = "$(systemctl show --property=MainPID --value queue-web)"
OWN_VIEW = f'test "$(readlink /proc/1/ns/mnt)" != "$(readlink /proc/{WEB}/ns/mnt)" && echo true'
FOLDERS = re.compile(r"^### Folders elsewhere\n(.*?)^##", re.DOTALL | re.MULTILINE)
PROCESSES = "systemctl show --property=MainPID --value queue-web queue-worker queue-keeper"


def missing() -> str:
    """The means of the walk that this machine lacks, in one sentence; empty: none."""
    if os.geteuid() != 0:
        return "It needs root."
    if lacks := [name for name in ("debootstrap", "podman", "runc") if shutil.which(name) is None]:
        return f"It needs {', '.join(lacks)}."
    if taken := [port for port in PORTS if not _is_free(port)]:
        return f"Ports that it needs are taken: {', '.join(map(str, taken))}."
    return ""


class Machine:
    """The fresh machine."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, commands: str, *, check: bool = True) -> str:
        """Commands of the document in one shell, in the folder of the code; returns what they print."""
        given = [f"--env={name}={value}" for name, value in (FIRST_USER | {"PIP_CERT": str(AUTHORITIES)}).items()]
        shell = ["exec", "--workdir=/opt/queue", *given, self.name, "/bin/sh", "-euc", commands]
        done = subprocess.run([*PODMAN, *shell], capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise WalkFailed(f"{commands}\n{done.stdout}{done.stderr}\n{self.journal()}")
        return done.stdout

    def journal(self) -> str:
        shown = ["exec", self.name, "journalctl", "--no-pager", "--unit=queue-*"]
        return subprocess.run([*PODMAN, *shown], capture_output=True, text=True, check=False).stdout

    def take(self, source: Path) -> None:
        """Step 2: the code, as a copy that belongs to root."""
        self._send(source, "tar -C /opt -x")

    def take_archive(self, source: Path) -> None:
        """The code as `git archive` packs it."""
        self._send(source, "cat > /tmp/queue.tar")

    def _send(self, source: Path, receive: str) -> None:
        pack = ["tar", "-C", str(source), "-c", "--owner=0", "--group=0", r"--transform=s,^\.,queue,", "."]
        archive = subprocess.Popen(pack, stdout=subprocess.PIPE)
        unpack = ["exec", "-i", self.name, "/bin/sh", "-euc", receive]
        subprocess.run([*PODMAN, *unpack], stdin=archive.stdout, check=True)
        assert archive.wait() == 0

    def write(self, path: str, text: str) -> None:
        """A file that the reader of the document writes."""
        writing = ["exec", "-i", self.name, "/bin/sh", "-euc", f"cat > {path}"]
        subprocess.run([*PODMAN, *writing], input=text, text=True, check=True)

    def wait_for(self, commands: str, *, seconds: float = 120) -> str:
        """Repeat a question until every part of the answer is true."""
        deadline = time.monotonic() + seconds
        # Until the site is there, the answer is empty, or a page of nginx.
        while "true" not in (answer := self.run(commands, check=False)) or "false" in answer:
            if time.monotonic() > deadline:
                raise WalkFailed(f"not ready: {answer}\n{self.journal()}")
            time.sleep(1)
        return answer


@contextmanager
def booted() -> Iterator[Machine]:
    """A machine that has just been installed."""
    make_debian(IMAGE, "systemd", "systemd-sysv", "dbus", "ca-certificates")
    name = f"{IMAGE}-{os.getpid()}"
    boot = ["run", "--detach", "--rm", "--name", name, "--network=host", "--systemd=always", *LIMITS, SHARED]
    init = ["--env=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", IMAGE, "/sbin/init"]
    if podman(*boot, *PRIVILEGED, *init, check=False).returncode:  # this machine may not give that away
        podman("rm", "--force", name, check=False)
        podman(*boot, *init)
    try:
        machine = Machine(name)
        subprocess.run([*PODMAN, "exec", name, "mkdir", "-p", "/opt/queue"], check=True)
        machine.run("until systemctl is-system-running | grep -E 'running|degraded'; do sleep 1; done")
        yield machine
    finally:
        subprocess.run([*PODMAN, "rm", "--force", name], check=False, capture_output=True)
        subprocess.run([*PODMAN, "rmi", "--force", IMAGE], check=False, capture_output=True)


def walk(machine: Machine) -> str:
    """All steps, word for word; returns the answer of the last question."""
    *steps, question = blocks()
    for number, commands in enumerate(steps, start=1):
        if number == CODE:
            with code_of_tree() as tree:
                machine.take(tree)
        words = commands.replace("createsuperuser", "createsuperuser --noinput --username anna")
        print(f"step {number}", flush=True)
        machine.run(words)
    answer = machine.wait_for(question)
    assert not machine.run(FAILED), machine.run(FAILED)
    page = machine.run(f"{question.strip().removesuffix('readyz')} --header 'X-Forwarded-Proto: https'")
    assert "Read a scan" in page, page
    _walk_proxy(machine)
    _walk_new_version(machine)
    _walk_backup(machine)
    if machine.run(OWN_VIEW, check=False):
        _walk_folder(machine)
    else:
        print("This machine lets no container mount: ProtectSystem and ReadWritePaths of the units were not walked.")
    return answer


def _walk_proxy(machine: Machine) -> None:
    """The last step: the site answers by its name through nginx, and sends a visitor without https there."""
    machine.write("/etc/nginx/conf.d/queue.conf", nginx_of_document())
    commands, question = proxy_blocks()
    print("step 8", flush=True)
    machine.run(commands)
    machine.wait_for(question)
    page = machine.run(question.strip().removesuffix("readyz"))
    assert "Read a scan" in page, page
    plain = machine.run("curl --silent --head --resolve queue.example:80:127.0.0.1 http://queue.example/")
    assert "https://queue.example/" in plain, plain


def _walk_new_version(machine: Machine) -> None:
    """It has taken the place of the old one when a file that it lacks is gone, and each process is a new one."""
    print("step 9", flush=True)
    *_, question = proxy_blocks()
    machine.run("touch /opt/queue/templates/of_the_old_version.html")
    before = machine.run(PROCESSES)
    with code_of_tree() as tree:
        machine.take_archive(tree)
    machine.run(new_version())
    machine.wait_for(question)
    assert not set(before.split()) & set(machine.run(PROCESSES).split()), before
    machine.run("! ls /opt/queue/templates/of_the_old_version.html")
    page = machine.run(question.strip().removesuffix("readyz"))
    assert "Read a scan" in page, page


def _walk_backup(machine: Machine) -> None:
    """After the restore, a row and a file of the backup are back, and those that came later are gone."""
    print("step 10", flush=True)
    *_, question = proxy_blocks()
    backup, restore = backup_blocks()
    users = "runuser -u postgres -- psql --no-align --tuples-only --command 'SELECT username FROM auth_user' queue"
    file = "/var/lib/queue/media/a-file"
    machine.run(f"runuser -u queue -- touch {file}")
    machine.run(backup)
    machine.run(f"rm {file}")
    machine.run("runuser -u postgres -- psql --command \"UPDATE auth_user SET username = 'eve'\" queue")
    machine.run(restore)
    machine.wait_for(question)
    assert machine.run(users).split() == ["anna"], machine.run(users)
    machine.run(f"runuser -u queue -- test -O {file}")
    assert not machine.run(FAILED), machine.run(FAILED)


def _walk_folder(machine: Machine) -> None:
    """A MEDIA_ROOT elsewhere is closed to the units, whoever owns it. The document's lines open it."""
    print("folders elsewhere", flush=True)
    *_, question = proxy_blocks()
    section = FOLDERS.search((ROOT / "docs/operations.md").read_text())
    assert section
    [commands] = BLOCK.findall(section[1])
    machine.run("sed -i 's,^MEDIA_ROOT=.*,MEDIA_ROOT=/srv/queue,' /etc/queue/site.env")
    machine.run("install -d -o queue -m 700 /srv/queue; systemctl restart 'queue-*.service'")
    machine.wait_for("journalctl --unit=queue-web | grep --quiet 'needs ReadWritePaths=/srv/queue' && echo true")
    machine.run(commands)
    machine.wait_for(question)
    machine.run("runuser -u queue -- test -O /srv/queue")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


CODE = 2  # the number of the step before which the code is copied


def main() -> int:
    if lack := missing():
        print(lack)
        return 1
    with booted() as machine:
        print(walk(machine))
        if "Traceback" in (journal := machine.journal()):
            print(journal)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
