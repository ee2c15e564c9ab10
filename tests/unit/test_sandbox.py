"""Rights that a process takes from itself, tried by forked processes; the kernel is the real one."""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from queueing import sandbox, seccomp
from queueing.sandbox import FILES, PRIVILEGES, PROCESSES, SOCKETS, TCP

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has these")


def forked(act: Callable[[], object]) -> str:
    """The value that `act` returns in a forked process, or the name of its exception."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            told = str(act())
        except BaseException as error:  # noqa: BLE001
            told = type(error).__name__
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    return told or signal.Signals(os.waitstatus_to_exitcode(status) * -1).name


def restrict(**allowed: object) -> frozenset[str]:
    everything: dict[str, object] = {"read": None, "write": None, "network": True, "processes": True}
    return sandbox.restrict(**everything | allowed)  # type: ignore[arg-type]


def test_what_is_not_asked_for_is_not_taken(tmp_path: Path) -> None:
    def act() -> object:
        taken = restrict()
        (tmp_path / "new").write_text("mine")
        with socket.socket():
            pass
        if not os.fork():
            os._exit(0)
        os.wait()
        return taken == {PRIVILEGES}

    assert forked(act) == "True"


def test_files_outside_the_named_folders_cannot_be_written(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("kept")

    def act(path: Path) -> object:
        assert FILES in restrict(write=[inside, tmp_path / "missing"])
        path.write_text("new")
        return path.read_text()

    assert forked(lambda: act(inside / "new")) == "new"
    assert forked(lambda: act(outside)) == "PermissionError"
    assert forked(lambda: act(tmp_path / "new")) == "PermissionError"
    assert outside.read_text() == "kept"


def test_files_that_are_not_named_cannot_be_read_and_open_ones_stay_open(tmp_path: Path) -> None:
    named, other = tmp_path / "named", tmp_path / "other"
    named.write_text("named")
    other.write_text("other")

    def act(path: Path) -> object:
        with other.open() as opened:
            assert FILES in restrict(read=[named], write=())
            return path.read_text() + opened.read()

    assert forked(lambda: act(named)) == "namedother"
    assert forked(lambda: act(other)) == "PermissionError"
    assert forked(lambda: [restrict(read=[named]), list(tmp_path.iterdir())]) == "PermissionError"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_no_socket_without_a_network(family: socket.AddressFamily, kind: socket.SocketKind) -> None:
    def act() -> object:
        assert restrict(network=False) >= {TCP, SOCKETS}
        return socket.socket(family, kind)

    assert forked(act) == "PermissionError"


def test_no_process_and_no_signal_without_processes() -> None:
    def act(deed: Callable[[], object]) -> object:
        assert PROCESSES in restrict(processes=False)
        return deed()

    assert forked(lambda: act(os.fork)) == "PermissionError"
    assert forked(lambda: act(lambda: os.posix_spawn("/bin/true", ["true"], {}))) == "PermissionError"
    assert forked(lambda: act(lambda: os.kill(os.getppid(), 0))) == "PermissionError"
    assert forked(lambda: act(lambda: os.kill(0, 0))) == "PermissionError"  # its whole group
    assert forked(lambda: act(lambda: os.kill(os.getpid(), 0))) == "None"
    assert forked(lambda: act(lambda: os.kill(os.getpid(), signal.SIGKILL))) == "SIGKILL"


def test_what_is_made_ready_takes_nothing_before_its_time(tmp_path: Path) -> None:
    known, late, other = (tmp_path / name for name in ("known", "late", "other"))

    def write_to(*folders: Path) -> list[str]:
        told = []
        for number, folder in enumerate(folders):
            try:
                (folder / f"{number}{os.times().elapsed}").write_text("mine")
                told.append("written")
            except PermissionError:
                told.append("refused")
        return told

    def act() -> object:
        open_files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        dropped, taken = (
            sandbox.Restriction(read=None, write=[known], network=True, processes=False) for _ in range(2)
        )
        before = write_to(known, late, other)
        if not os.fork():
            os._exit(0)
        os.wait()
        dropped.drop()
        taken.leave(late)
        rules = taken.take()
        left_open = len(os.listdir("/proc/self/fd")) - open_files  # noqa: PTH208
        return before, write_to(known, late, other), sorted(rules), left_open

    for folder in (known, late, other):
        folder.mkdir()
    everywhere, within = ["written"] * 3, ["written", "written", "refused"]
    assert forked(act) == str((everywhere, within, sorted({FILES, PRIVILEGES, PROCESSES}), 0))


def test_what_is_made_without_a_free_descriptor_is_not_whole(tmp_path: Path) -> None:
    def is_whole(descriptors: int) -> bool:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
        paths = [tmp_path, tmp_path / "missing"]
        made = sandbox.Restriction(read=None, write=paths, network=True, processes=False)
        whole = made.is_whole
        made.drop()
        return whole

    def act() -> object:
        highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208
        while (used := os.dup(0)) <= highest:  # no gap is left
            pass
        os.close(used)
        return [is_whole(used + free) for free in (0, 1, 2)]  # for no ruleset, for no path, for both

    assert forked(act) == "[False, False, True]"


def test_a_kernel_without_landlock_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter refuses Landlock's first call, as an older kernel does. The rest is taken all the same."""
    monkeypatch.setattr(seccomp, "STRANGE_CALLS", {"landlock_create_ruleset": (444, 444)})

    def act() -> object:
        sandbox.LIBC.prctl(sandbox.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        strange = seccomp.make(sandbox.LIBC, sockets=False, processes=False)
        assert strange is not None
        assert strange.enforce()
        taken = restrict(read=(), write=(), network=False, processes=False)
        (tmp_path / "new").write_text("mine")
        return sorted(taken)

    assert forked(act) == str(sorted({PRIVILEGES, SOCKETS, PROCESSES}))


def test_limits_are_beyond_what_the_process_has_already() -> None:
    def eat(size: int) -> object:
        sandbox.limit(memory=64 * 1024**2)
        return len(bytearray(size))

    assert forked(lambda: eat(32 * 1024**2)) == str(32 * 1024**2)
    assert forked(lambda: eat(512 * 1024**2)) == "MemoryError"  # what is freed meanwhile is room, too


def test_computing_time_can_be_given_again() -> None:
    def spin(seconds: float) -> object:
        sandbox.limit(cpu=1)
        began = time.process_time()
        while time.process_time() - began < seconds:
            pass
        return "done"

    assert forked(lambda: [spin(0.6), spin(0.6), spin(0.6)]) == str(["done"] * 3)
    assert forked(lambda: spin(30)) == "SIGXCPU"


def test_no_file_grows_and_no_limit_goes_up(tmp_path: Path) -> None:
    def write() -> object:
        sandbox.limit(file_size=10, open_files=20)
        return (tmp_path / "new").write_bytes(bytes(11))

    def raise_it() -> object:
        sandbox.limit(file_size=10)
        sandbox.limit(file_size=100)
        return resource.getrlimit(resource.RLIMIT_FSIZE)

    assert forked(write) == "OSError"
    assert forked(raise_it) == "(10, 10)"
