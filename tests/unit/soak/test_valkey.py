"""The append-only file of a soak's Valkey, which is rewritten after a full disk."""

from pathlib import Path

import redis

from tests.soak.valkey import BOOKS, rewrite_books
from tests.support.servers import free_port, start_valkey
from tests.support.waiting import wait_for


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / BOOKS).glob("*.aof")}


def test_books_are_written_anew_after_a_full_disk(tmp_path: Path) -> None:
    port = free_port()
    server = start_valkey(port, "--dir", str(tmp_path), "--appendonly", "yes")
    try:
        with redis.Redis(port=port) as client:
            client.set("a", 1)
            before = names(tmp_path)
            rewrite_books(client)
            wait_for(lambda: not before & names(tmp_path))  # a thread of the server deletes them
    finally:
        server.kill()
        server.wait(10)
    assert before
    assert names(tmp_path)
