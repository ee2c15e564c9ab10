"""Keys in the memory of an isolated task's process: in the objects that are left, not in memory that was freed."""

import os
import subprocess
import sys
from urllib.parse import quote

from tests.support import object_store
from tests.support.object_store import ObjectStore
from tests.support.own_valkey import OwnValkey
from tests.support.paths import ROOT

PASSWORD = "a-password-of-the-tests"


def test_no_object_of_an_isolated_task_holds_a_key(s3: ObjectStore, own_valkey: OwnValkey) -> None:
    own_valkey.client.config_set("requirepass", PASSWORD)
    secret = object_store.SECRET
    words = [word[::-1] for word in (PASSWORD, secret, quote(secret, safe=""))]
    environment = os.environ | {
        "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:{own_valkey.port}/0",
        "REDIS_URL_TABLES": f"redis://:{PASSWORD}@127.0.0.1:{own_valkey.port}/1",
        "STORAGE_URL": s3.url(),
    }

    def holders(act: str) -> list[str]:
        command = [sys.executable, "-m", "tests.support.forgotten", act, *words]
        told = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return told.stdout.split()

    assert "dict" in holders("keep")  # the look finds what is there
    assert holders("forget") == []
