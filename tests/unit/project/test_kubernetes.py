"""The manifests for Kubernetes: against its schemas, and in what a schema cannot know."""

import re
from itertools import chain
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.urls import resolve

from queueing.line.keys import line_keys
from queueing.registry import all_tasks
from tests.support.paths import ROOT
from tests.unit.project.test_compose import SERVICES, parse

FOLDER = ROOT / "docs" / "operations" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS = [one for name in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())]
PODS = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in OBJECTS if "template" in one.get("spec", {})
}
SHARED = FOLDER / "shared-folder"  # instead of object storage
OBJECTS.append(yaml.safe_load((SHARED / "media.yaml").read_text()))
KEDA = list(yaml.safe_load_all((FOLDER / "keda.yaml").read_text()))
SHIPPED = ["documents", "tables"]


def container(name: str) -> dict[str, Any]:
    (found,) = PODS[name]["containers"]
    assert isinstance(found, dict)
    return found


def probes(name: str) -> dict[str, Any]:
    return {key: value for key, value in container(name).items() if key.endswith("Probe")}


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_an_object_fits_its_schema(one: dict[str, Any]) -> None:
    kubernetes_validate.validate(one, "1.37", strict=True)


def test_all_files_are_used() -> None:
    named = {*KUSTOMIZATION["resources"], "kustomization.yaml", "keda.yaml", "README.md", "site.env", SHARED.name}
    assert {path.name for path in FOLDER.iterdir() if path.suffix != ".secret"} == named
    assert set(PODS) == {"web", "worker", "keeper", "migrate"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_runs_what_compose_runs_with_no_more_rights(name: str) -> None:
    assert parse(container(name)["args"]) == parse(SERVICES[name]["command"])
    assert f"--uid {PODS[name]['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()
    assert PODS[name]["securityContext"]["runAsNonRoot"]
    assert PODS[name]["automountServiceAccountToken"] is False
    rights = container(name)["securityContext"]
    assert rights["readOnlyRootFilesystem"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert not rights["allowPrivilegeEscalation"]


@pytest.mark.parametrize("name", PODS)
def test_a_variable_is_one_that_the_settings_read(name: str) -> None:
    files = ((FOLDER / "site.env").read_text(), (FOLDER / "README.md").read_text())
    written = chain.from_iterable(re.findall(r"\b([A-Z]+_[A-Z_]+)=", text) for text in files)
    own = {one["name"] for one in container(name)["env"]}
    settings = (ROOT / "config" / "settings.py").read_text() + (ROOT / "queueing" / "conf.py").read_text()
    for variable in {*written, *own}:
        assert re.search(rf"\b{variable.removeprefix('QUEUEING_')}\b", settings), variable
    assert ("WITHOUT_SECRET_KEY" in own) == (name != "web")


def test_a_worker_has_the_time_to_finish_any_task() -> None:
    longest = max(task.timeout for name, task in all_tasks().items() if name in SHIPPED)
    assert PODS["worker"]["terminationGracePeriodSeconds"] >= longest + 30


def test_web_is_judged_by_its_own_life() -> None:
    for probe in probes("web").values():
        assert resolve(probe["httpGet"]["path"]).url_name == "healthz"
        (header,) = probe["httpGet"]["httpHeaders"]
        assert f"ALLOWED_HOSTS={header['value']}" in (FOLDER / "site.env").read_text()


@pytest.mark.parametrize("name", ["worker", "keeper"])
def test_the_others_are_asked_as_compose_asks_them(name: str) -> None:
    (probe,) = probes(name).values()
    assert ["CMD", *probe["exec"]["command"]] == SERVICES[name]["healthcheck"]["test"]


def test_who_is_scaled_has_no_number_of_its_own() -> None:
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in OBJECTS if one["kind"] == "HorizontalPodAutoscaler"}
    assert not [one for one in OBJECTS if one["metadata"]["name"] in scaled and "replicas" in one.get("spec", {})]


def test_a_shared_folder_comes_into_each_pod_that_has_files() -> None:
    (patch,) = yaml.safe_load((SHARED / "kustomization.yaml").read_text())["patches"]
    label, _, value = patch["target"]["labelSelector"].partition("=")
    labelled = {one["metadata"]["name"] for one in OBJECTS if one["metadata"].get("labels", {}).get(label) == value}
    assert labelled == {"web", "worker", "keeper"}
    for one in (one for one in OBJECTS if one["metadata"]["name"] in labelled and one["kind"] == "Deployment"):
        for step in yaml.safe_load(patch["patch"]):
            found: Any = one
            for key in step["path"].strip("/").split("/")[:-1]:
                found = found[int(key) if key.isdecimal() else key]
            found.append(step["value"])
        kubernetes_validate.validate(one, "1.37", strict=True)


def test_keda_counts_those_who_are_present_and_those_being_worked_on() -> None:
    scaled = KEDA[0]["spec"]
    assert scaled["scaleTargetRef"]["name"] in PODS
    counted = {one["name"]: one["metadata"]["listName"] for one in scaled["triggers"]}
    keys = {name: line_keys(name) for name in SHIPPED}
    wanted = {name: key.line for name, key in keys.items()}
    assert counted == wanted | {f"{name}_running": key.running for name, key in keys.items()}
    assert set(scaled["advanced"]["scalingModifiers"]["formula"].split(" + ")) == set(counted)
