"""docker-compose.yml, the Dockerfile and the Procfile, as far as they can be checked without a container engine."""

import argparse
import re
import shlex
import subprocess
from pathlib import Path, PurePath
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class
from django.urls import reverse

from queueing.registry import get_task
from queueing.web.bodies import SMALL
from queueing.web.command_line import CommandLine
from queueing.web.uploads import SLACK
from tests.support.paths import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
SCALED = ["web", "worker"]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def parse(command: list[str]) -> dict[str, Any]:
    """The options of a command line, parsed by the program that it names; a wrong option ends the test."""
    match command:
        case ["python", "-m", "config.serve", *arguments]:
            line = CommandLine()
            options: argparse.Namespace = line.parser.parse_args(line.with_endpoint(arguments))
            return vars(options)
        case ["python", "manage.py", name, *arguments]:
            program = load_command_class(get_commands()[name], name)
            return vars(program.create_parser("manage.py", name).parse_args(arguments))
    pytest.fail(f"Nobody knows how to run {command}.")


def procfile() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    commands = dict(line.split(": exec ", 1) for line in lines)
    return {name: shlex.split(re.sub(r"\$\{\w+:-(\w+)\}", r"\1", command)) for name, command in commands.items()}


def test_the_services_are_ours_and_those_that_they_need() -> None:
    assert set(SERVICES) == {"proxy", "web", "worker", "keeper", "migrate", "valkey", "postgres"}
    assert OURS == ["web", "worker", "keeper", "migrate"]


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_that_the_project_has(name: str) -> None:
    parse(SERVICES[name]["command"])


@pytest.mark.parametrize("name", ["web", "worker", "keeper"])
def test_a_container_runs_what_make_run_runs(name: str) -> None:
    """Address and number of workers aside: a container is reached from outside, and scaled as a whole."""
    own = {"socket_strings", "num_workers"}
    container, terminal = parse(SERVICES[name]["command"]), parse(procfile()[name])
    assert {key: value for key, value in container.items() if key not in own} == {
        key: value for key, value in terminal.items() if key not in own
    }


def test_docker_compose_can_give_each_container_its_files() -> None:
    """docker compose copies inline files into a container; the engine refuses the copy if that is read-only."""
    for service in SERVICES.values():
        for kind in ("configs", "secrets"):
            named = {use if isinstance(use, str) else use["source"] for use in service.get(kind, [])}
            inline = {name for name in named if "file" not in COMPOSE[kind][name]}
            assert not (inline and service["read_only"])


@pytest.mark.parametrize(
    ("name", "variable", "path"), [("proxy", "CADDYFILE", "Caddyfile"), ("valkey", "USERS", "users.acl")]
)
def test_a_file_is_written_to_the_tmp_of_its_container(name: str, variable: str, path: str, tmp_path: Path) -> None:
    """The start of the container's command, with a program that shows the file and its arguments."""
    service = SERVICES[name]
    commands = service["command"][2].replace("$$", "$").replace("/tmp/", f"{tmp_path}/")  # noqa: S108  # of the container
    program = commands.rpartition("exec ")[2].split()[0]
    (tmp_path / program).write_text(f'#!/bin/sh\ncat "{tmp_path}/{path}"; echo "$@"; echo "${variable}"\n')
    (tmp_path / program).chmod(0o700)
    given = service["environment"][variable].replace("$$", "$")
    environment = {variable: given, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    arguments = [*service["command"][:2], commands, *service["command"][3:]]
    shown = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True).stdout
    assert shown.startswith(given)
    assert f"{path}" in shown.removeprefix(given).splitlines()[0]


def test_the_web_server_listens_to_other_containers_with_a_long_backlog() -> None:
    assert parse(SERVICES["web"]["command"])["socket_strings"] == ["tcp:port=8000:interface=0.0.0.0:backlog=2048"]
    assert "web 8000" in SERVICES["proxy"]["environment"]["CADDYFILE"]


def test_the_proxy_takes_the_bodies_that_the_web_containers_take() -> None:
    caddyfile = SERVICES["proxy"]["environment"]["CADDYFILE"]
    largest = max(get_task(name).form().max_bytes() + SLACK for name in ("documents", "tables")) // 1024**2
    assert reverse("queueing:join", args=["tables"]).startswith("/join/")
    assert re.findall(r"@forms (.*)\s+@others not (.*)", caddyfile) == [("path /join/*", "path /join/*")]
    assert re.findall(r"request_body @(\w+) \{\s*max_size (\w+)", caddyfile) == [
        ("forms", f"{largest}MiB"),
        ("others", f"{SMALL // 1024}KiB"),
    ]
    assert f"location /join/ {{ client_max_body_size {largest}m;" in OPERATIONS
    assert f"client_max_body_size {SMALL // 1024}k;" in OPERATIONS


def test_the_proxy_tells_the_address_and_is_believed() -> None:
    assert "header_up X-Real-IP {remote_host}" in SERVICES["proxy"]["environment"]["CADDYFILE"]
    (trusted,) = SERVICES["web"]["environment"]["TRUSTED_PROXIES"].split()
    assert [config["subnet"] for config in COMPOSE["networks"]["site"]["ipam"]["config"]] == [trusted]
    assert re.fullmatch(r"\$\{SITE_SUBNET:-172\.30\.\d+\.0/24\}", trusted)
    assert {name for name, service in SERVICES.items() if "site" in service["networks"]} == {"proxy", "web"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate"}))
def test_a_service_is_watched_and_restarted(name: str) -> None:
    healthcheck = SERVICES[name]["healthcheck"]
    assert healthcheck["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= healthcheck.keys()
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_the_health_of_web_is_asked_by_a_program_that_compiles() -> None:
    program, option, code = SERVICES["web"]["healthcheck"]["test"][1:]
    assert (program, option) == ("python", "-c")
    compile(code, "web", "exec")


@pytest.mark.parametrize("name", ["worker", "keeper"])
def test_the_health_of_the_others_is_asked_by_name(name: str) -> None:
    """tests/processes/test_alive.py asks."""
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "python", "-m", "queueing.alive", name]


def test_migrations_run_once_and_before_what_needs_them() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("web", "worker", "keeper"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_dependencies_exist_and_can_become_healthy() -> None:
    for service in SERVICES.values():
        for name, dependency in service.get("depends_on", {}).items():
            assert dependency["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]


def test_images_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for image in [*bases, *(service["image"] for service in SERVICES.values())]:
        assert re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+", image), image


def test_only_the_proxy_runs_as_root() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["queue"]
    assert all("user" not in SERVICES[name] for name in OURS)
    assert (SERVICES["valkey"]["user"], SERVICES["postgres"]["user"]) == ("valkey", "postgres")


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "pid", "ipc", "network_mode", "devices", "userns_mode"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_limit_of_all_that_runs_out(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 1024
    assert re.fullmatch(r"1|\$\{\w+_CPUS:-1\}", str(service["cpus"]))
    mounts = dict(mount.split(":size=") for mount in service["tmpfs"])
    assert "/tmp" in mounts  # noqa: S108  # of the container
    assert sum(map(megabytes, mounts.values())) < megabytes(service["mem_limit"])  # it counts as memory


def test_a_task_ends_before_the_tmp_of_its_container_is_full() -> None:
    (mount,) = SERVICES["worker"]["tmpfs"]
    limit = int(SERVICES["worker"]["environment"]["QUEUEING_TASK_DISK_BYTES"])
    assert limit < megabytes(mount.partition(":size=")[2]) * 1024**2


def megabytes(size: str) -> int:
    return int(size[:-1]) * (1024 if size.endswith("g") else 1)


def test_a_container_reaches_what_it_needs_and_nothing_else() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks == {
        "proxy": {"outside", "site"},
        "web": {"site", "line", "rows"},
        "worker": {"line", "rows"},
        "keeper": {"line", "rows"},
        "migrate": {"rows"},
        "valkey": {"line"},
        "postgres": {"rows"},
    }
    inside = {name for name, network in COMPOSE["networks"].items() if network and network["internal"]}
    assert inside == {"site", "line", "rows"}
    assert COMPOSE["networks"].keys() - inside == {"outside"}


def test_only_the_proxy_publishes_ports() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]


def test_web_and_worker_can_be_scaled() -> None:
    for name in SCALED:
        assert not SERVICES[name].keys() & {"container_name", "hostname", "ports"}


def test_uploads_are_seen_by_all_who_touch_them_and_nothing_is_lost_on_a_restart() -> None:
    for name in ("web", "worker", "keeper"):
        assert "media:/srv/media" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"]["MEDIA_ROOT"] == "/srv/media"
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used == COMPOSE["volumes"].keys()


def test_valkey_keeps_its_data_and_evicts_nothing() -> None:
    command = " ".join(SERVICES["valkey"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_uploads_are_outside_of_the_code() -> None:
    """Python imports from the working directory."""
    (workdir,) = re.findall(r"^WORKDIR (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert not PurePath(SERVICES["web"]["environment"]["MEDIA_ROOT"]).is_relative_to(workdir)


def test_secrets_come_from_outside_and_must_be_given() -> None:
    for name in OURS:
        environment = SERVICES[name]["environment"]
        assert ":${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]
        assert "DEBUG" not in environment
    assert SERVICES["web"]["environment"]["SECRET_KEY"].startswith("${SECRET_KEY:?")
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_a_container_has_no_secret_that_it_does_not_use() -> None:
    secrets = {"SECRET_KEY", "METRICS_TOKEN", "REDIS_URL"}
    assert {name: SERVICES[name]["environment"].keys() & secrets for name in OURS} == {
        "web": secrets,
        "worker": {"REDIS_URL"},
        "keeper": {"REDIS_URL"},
        "migrate": set(),
    }
    for name in ("web", "worker", "keeper"):
        password = f"${{VALKEY_{name.upper()}_PASSWORD:?set VALKEY_{name.upper()}_PASSWORD}}"
        assert SERVICES[name]["environment"]["REDIS_URL"] == f"redis://{name}:{password}@valkey:6379/0"
    assert [SERVICES[name]["environment"]["WITHOUT_SECRET_KEY"] for name in OURS] == ["0", "1", "1", "1"]


def test_every_variable_of_the_file_is_told() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    told = (ROOT / "docs" / "operations.md").read_text()
    assert {name for name in re.findall(r"\$\{([A-Z_]+)", text) if name not in told} == set()
