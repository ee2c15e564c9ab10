"""The Valkey of a soak: one server, or a primary and a replica with sentinels. Both write all down.

So a server can come back as it was, as it was some time ago, or empty.
"""

import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import redis

from tests.soak.disk import Disk
from tests.soak.links import TO_VALKEY, Link
from tests.support import servers
from tests.support.available import SERVICE, Available, Node
from tests.support.browser.proxy import Proxy
from tests.support.waiting import wait_for

SIZE = 24  # MiB of the disk of a server
WRITES = ["--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-min-size", "4mb"]
BOOKS = "appendonlydir"
ROLES = ("web", "worker", "keeper")


class Valkey:
    """One server."""

    kind = "one Valkey"
    failovers: tuple[str, ...] = ()  # the kinds of failover that it has

    def __init__(self, disks: Path, *, mounted: bool) -> None:
        self.disk = Disk(disks / "valkey", SIZE, mounted=mounted)
        self.port = servers.free_port()
        self.start()
        self.links = {role: Link([Proxy(self.port)], TO_VALKEY) for role in ROLES}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def url_for(self, role: str) -> str:
        return f"redis://127.0.0.1:{self.links[role].ports[0]}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=2)

    def answers(self) -> bool:
        """True if the server answers, and takes writes."""
        return takes_writes(self.client())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(20)

    def start(self) -> None:
        """Start with what is written down."""
        options = ["--dir", str(self.disk.folder), *WRITES]
        self.process: subprocess.Popen[bytes] = servers.start_valkey(self.port, *options)

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def copy(self) -> Path:
        return _copied(self.disk.folder)

    def come_back(self, copy: Path | None) -> None:
        """Start again with what was written until this copy was made; None: with nothing."""
        _replace(self.disk.folder, copy)
        self.start()

    def primary(self) -> Node:
        raise NotImplementedError

    def fail_over(self, kind: str) -> Node:
        raise NotImplementedError

    def settle(self, kind: str, server: Node) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        self.go_on()
        self.kill()


class Sentinels:
    """A primary, a replica and three sentinels. Each role has its own links to all of them."""

    kind = "sentinels"
    failovers = ("killed", "stopped", "cut off", "isolated")  # of tests/support/available.py

    def __init__(self, disks: Path, *, mounted: bool) -> None:
        self._disks = [Disk(disks / f"valkey{number}", SIZE, mounted=mounted) for number in range(2)]
        folders = [disk.folder for disk in self._disks]
        self.available = Available(folders=folders, options=WRITES, has_epochs=False)
        self._way: dict[str, Link] = {}  # to the sentinels, which name servers behind the links of the same role
        self.links = {role: self._link(role) for role in ROLES}

    def _link(self, role: str) -> Link:
        to_servers = [Proxy(server.port) for server in self.available.servers]
        to_sentinels = [Proxy(sentinel.port) for sentinel in self.available.sentinels]
        ports = {f"\r\n{proxy.target}\r\n".encode(): f"\r\n{proxy.port}\r\n".encode() for proxy in to_servers}
        for proxy in to_sentinels:
            proxy.said_instead = ports
        self._way[role] = Link(to_sentinels, TO_VALKEY)
        return Link([*to_servers, *to_sentinels], TO_VALKEY)

    @property
    def disk(self) -> Disk:
        """The disk of the primary."""
        return self._disks[self.available.servers.index(self.primary())]

    @property
    def url(self) -> str:
        return self.available.url

    def url_for(self, role: str) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._way[role].ports)
        return f"sentinel://{hosts}/{SERVICE}/0"

    def primary(self) -> Node:
        """The server that most sentinels name."""
        return self.available.primary()

    def client(self) -> redis.Redis:
        """A client of the primary."""
        return self.primary().client

    def answers(self) -> bool:
        """True if the primary answers, and takes writes."""
        return takes_writes(self.client())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill both servers, the replica first, so that nobody takes over."""
        for server in self._replica_first():
            assert server.process
            server.process.send_signal(number)
            server.process.wait(20)

    def start(self) -> None:
        """Start both with what is written down; the one that was the primary last is the primary."""
        replica, primary = self._replica_first()
        primary.start_again("--replicaof", "no", "one")
        replica.start_again("--replicaof", "127.0.0.1", str(primary.port))
        wait_for(self._is_settled, 60)

    def hang(self) -> None:
        for server in self._replica_first():
            server.hang()

    def go_on(self) -> None:
        for server in self.available.servers:
            server.go_on()
        wait_for(self._is_settled, 60)

    def copy(self) -> Path:
        return _copied(self.disk.folder)

    def come_back(self, copy: Path | None) -> None:
        for disk in self._disks:
            _replace(disk.folder, copy)
        self.start()

    def fail_over(self, kind: str) -> Node:
        """Begin a failover of this kind; returns the server that was the primary."""
        return self.available.begin(kind)

    def settle(self, kind: str, server: Node) -> None:
        """The old primary comes back, and becomes the replica."""
        wait_for(lambda: self.primary() is not server, 60)
        self.available.end(kind, server)
        wait_for(self._is_settled, 60)

    def stop(self) -> None:
        self.available.stop()

    def _replica_first(self) -> list[Node]:
        primary = self.primary()
        return sorted(self.available.servers, key=lambda server: server is primary)

    def _is_settled(self) -> bool:
        """True if the server that the sentinels name takes writes, and the other one follows it."""
        replica, primary = self._replica_first()
        with suppress(redis.RedisError):
            follows = replica.client.info("replication").get("master_link_status") == "up"
            return follows and replica.client.info("replication")["master_port"] == primary.port and self.answers()
        return False


def takes_writes(client: redis.Redis) -> bool:
    """True if this server answers, and takes a write."""
    with suppress(redis.RedisError):
        return bool(client.set("soak:written", 1))
    return False


def rewrite_books(client: redis.Redis) -> None:
    """Have the books of this server written anew, as docs/operations.md says after a full disk.

    A server that has rewritten its books since its start goes on in a new file. If the disk has room for a part of a
    write to that file, Valkey 9.1 takes the part back and writes on behind it. It does not start with such a gap.
    """
    wait_for(lambda: client.info("persistence")["aof_last_write_status"] == "ok", 60)
    wait_for(lambda: _begins_rewriting(client), 60)
    wait_for(lambda: not _rewrites(client), 60)


def _begins_rewriting(client: redis.Redis) -> bool:
    """False while an earlier rewriting goes on."""
    return not _rewrites(client) and bool(client.bgrewriteaof())


def _rewrites(client: redis.Redis) -> bool:
    state = client.info("persistence")
    return bool(state["aof_rewrite_in_progress"] or state["aof_rewrite_scheduled"])


def _copied(folder: Path) -> Path:
    """A copy of the books; they may be written anew meanwhile, so it counts if their list has stayed the same."""
    while True:
        kept = Path(tempfile.mkdtemp(dir=servers.FOLDER)) / BOOKS
        before = _list_of_books(folder / BOOKS)
        with suppress(OSError):  # one of them has gone
            shutil.copytree(folder / BOOKS, kept)
            if before == _list_of_books(folder / BOOKS):
                return kept


def _list_of_books(books: Path) -> str:
    return (books / "appendonly.aof.manifest").read_text()


def _replace(folder: Path, copy: Path | None) -> None:
    shutil.rmtree(folder / BOOKS, ignore_errors=True)
    if copy is not None:
        shutil.copytree(copy, folder / BOOKS)
