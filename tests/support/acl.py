"""The users of Valkey, as docker-compose.yml gives them to web, worker and keeper.

With VALKEY_ACL=1 every Valkey of the tests has these users, and every process that a test starts signs in as its own.
The tests themselves stay the default user, who may do anything.
"""

import os
import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml

from tests.support.paths import ROOT

# A password with what a URL would take for something else.
PASSWORDS = {name: f"{name}:p/ss@%41?#" for name in ("web", "worker", "keeper")}
EVERYBODY = "user default on nopass ~* &* +@all"
IS_ON = os.environ.get("VALKEY_ACL") == "1"


def rules() -> list[str]:
    """The users of docker-compose.yml, one a line, with the passwords of the tests."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    text: str = compose["services"]["valkey"]["environment"]["USERS"]
    return re.sub(r"\$\{VALKEY_(\w+)_PASSWORD\}", lambda found: PASSWORDS[found[1].lower()], text).splitlines()


def write_users(folder: Path, *, default: str = EVERYBODY) -> Path:
    """The file of users for `valkey-server --aclfile`, with another default user."""
    path = folder / "users.acl"
    path.write_text("\n".join([*(rule for rule in rules() if not rule.startswith("user default ")), default]) + "\n")
    return path


def options(folder: Path) -> list[str]:
    """The options of a Valkey of the tests: the users, if the tests are about them."""
    return ["--aclfile", str(write_users(folder))] if IS_ON else []


def user_of(command: tuple[str, ...]) -> str:
    """The user of the process with these arguments of Python. Raises ValueError for a process that has none."""
    match command:
        case ["-m", "config.serve" | "uvicorn", *_]:
            return "web"
        case ["manage.py", name, *_]:
            return "worker" if name.startswith("rqworker") else "keeper"
    raise ValueError(f"{command} is no process of docker-compose.yml")


def signed_in(url: str, user: str) -> str:
    """The address of a Valkey, for that user."""
    return urlsplit(url)._replace(netloc=f"{user}:{quote(PASSWORDS[user], safe='')}@{urlsplit(url).netloc}").geturl()
