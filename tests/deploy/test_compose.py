"""docker-compose.yaml, as Docker Compose reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from deploy.conftest import REQUIRED, WriteEnv

from sandbox.compose_file import PROJECT, ComposeError, Service, read_compose
from sandbox.ringcentral import SandboxConfig
from voxlake.settings import Settings

COMPOSE = PROJECT / "docker-compose.yaml"
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}
DEMO = PROJECT / "deploy" / "demo.env"


def airflow_services(services: dict[str, Service]) -> list[Service]:
    return [service for service in services.values() if service.definition["image"] == "voxlake:0.1.0"]


def test_celery_has_the_services_of_airflows_own_file(write_env: WriteEnv) -> None:
    services = read_compose(write_env())

    assert set(services) == AIRFLOW | {"worker", "init", "postgres", "redis"}
    assert {service.environment["AIRFLOW__CORE__EXECUTOR"] for service in airflow_services(services)} == {
        "CeleryExecutor"
    }


def test_local_has_no_redis_and_no_worker(write_env: WriteEnv) -> None:
    local = {"COMPOSE_PROFILES": "local", "AIRFLOW__CORE__EXECUTOR": "LocalExecutor", "VOXLAKE_QUOTA_URL": ""}

    services = read_compose(write_env(**local))

    assert set(services) == AIRFLOW | {"init", "postgres"}
    for service in airflow_services(services):
        assert service.environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
        assert not service.environment["VOXLAKE_QUOTA_URL"]


def test_flower_and_the_demo_are_added(write_env: WriteEnv) -> None:
    celery = set(read_compose(write_env()))

    assert set(read_compose(write_env(COMPOSE_PROFILES="celery,flower"))) - celery == {"flower"}
    assert set(read_compose(DEMO)) - celery == {"s3", "bucket", "sandbox"}


@pytest.mark.parametrize("name", sorted(REQUIRED))
@pytest.mark.parametrize("value", [None, ""])
def test_nothing_starts_without_a_secret_and_the_error_names_it(
    write_env: WriteEnv, name: str, value: str | None
) -> None:
    with pytest.raises(ComposeError, match=f"required variable {name} is missing a value: put {name} into .env"):
        read_compose(write_env(**{name: value}))


def test_a_field_that_the_schema_does_not_have_is_refused(write_env: WriteEnv, tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("restart: always", "restarts: always", 1))

    with pytest.raises(ComposeError, match="additional properties 'restarts' not allowed"):
        read_compose(write_env(), wrong)


def test_what_is_set_reaches_airflow_and_what_is_not_has_its_default(write_env: WriteEnv) -> None:
    worker = read_compose(write_env())["worker"].environment
    assert worker["VOXLAKE_LAKE_URL"] == "/opt/airflow/lake"
    assert worker["VOXLAKE_QUOTA_URL"] == "redis://:r0@redis:6379/1"
    assert worker["AIRFLOW__CELERY__BROKER_URL"] == "redis://:r0@redis:6379/0"
    assert worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://airflow:p0@postgres:5432/airflow"
    assert worker["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "False"

    connection = json.dumps({"conn_type": "ringcentral", "password": "with $ and # and 'quotes'".replace("'", "")})
    worker = read_compose(
        write_env(
            VOXLAKE_LAKE_URL="s3://bucket/lake",
            VOXLAKE_QUOTA_URL="rediss://cache.example.com:6379/3",
            VOXLAKE_RECORDING_WAIT="PT2H",
            AIRFLOW_CONN_RINGCENTRAL_DEFAULT=connection,
            AIRFLOW__METRICS__STATSD_ON="True",
        )
    )["worker"].environment
    assert worker["VOXLAKE_LAKE_URL"] == "s3://bucket/lake"
    assert worker["VOXLAKE_QUOTA_URL"] == "rediss://cache.example.com:6379/3"
    assert worker["VOXLAKE_RECORDING_WAIT"] == "PT2H"
    assert worker["AIRFLOW_CONN_RINGCENTRAL_DEFAULT"] == connection
    assert worker["AIRFLOW__METRICS__STATSD_ON"] == "True"


def test_all_parts_of_airflow_have_the_same_settings(write_env: WriteEnv) -> None:
    own = {"DUMB_INIT_SETSID"}
    found = [
        {name: value for name, value in service.environment.items() if name not in own}
        for service in airflow_services(read_compose(write_env(COMPOSE_PROFILES="celery,flower")))
    ]

    assert all(environment == found[0] for environment in found)


def test_what_runs_for_long_is_looked_after(write_env: WriteEnv) -> None:
    services = read_compose(write_env(COMPOSE_PROFILES="celery,flower"))
    once = {"init"}

    for name, service in services.items():
        limits = service.definition["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory"}, name
        assert service.definition["restart"] == ("no" if name in once else "always"), name
        assert bool(service.health) == (name not in once), name
        # A container that is started as root may do all on its host that the engine may.
        assert not service.definition.get("privileged"), name
        assert "user" not in service.definition, name


def test_the_ui_is_not_there_for_other_hosts(write_env: WriteEnv) -> None:
    services = read_compose(write_env(COMPOSE_PROFILES="celery,flower"))

    published = [port for service in services.values() for port in service.definition.get("ports", ())]

    assert {(port["host_ip"], port["target"]) for port in published} == {("127.0.0.1", 8080), ("127.0.0.1", 5555)}


def test_development_runs_what_is_in_this_folder(write_env: WriteEnv) -> None:
    services = read_compose(write_env(), COMPOSE, PROJECT / "docker-compose.dev.yaml")

    for name in AIRFLOW | {"worker", "init"}:
        mounted = {target: source for target, source in services[name].mounts.items() if source.startswith("/")}
        assert mounted == {f"/opt/airflow/{folder}": str(PROJECT / folder) for folder in ("dags", "plugins", "include")}


def test_the_demo_reaches_its_look_alike_and_its_s3_server() -> None:
    services = read_compose(DEMO)

    worker = services["worker"].environment
    connection = json.loads(worker["AIRFLOW_CONN_RINGCENTRAL_DEFAULT"])
    config = SandboxConfig()
    assert connection["extra"]["jwt"] == config.jwt
    assert (connection["login"], connection["password"]) == (config.client_id, config.client_secret)
    assert services["sandbox"].definition["network_mode"] == "service:worker"
    aws = json.loads(worker["AIRFLOW_CONN_AWS_DEFAULT"])
    assert aws["extra"]["endpoint_url"] == "http://s3:8333"
    whole = yaml.safe_load(COMPOSE.read_text())["configs"]["s3"]["content"]
    for name, value in (("DEMO_S3_KEY", aws["login"]), ("DEMO_S3_SECRET", aws["password"])):
        assert worker[name] == value
        whole = whole.replace(f"${{{name}:-}}", value)
    assert json.loads(whole)["identities"][0]["credentials"] == [
        {"accessKey": aws["login"], "secretKey": aws["password"]}
    ]


def test_the_example_names_every_setting() -> None:
    example = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    of_the_file = set(re.findall(r"\$\{([A-Z0-9_]+)", COMPOSE.read_text())) - {"HOSTNAME"}
    of_the_demo = {"DEMO_S3_KEY", "DEMO_S3_SECRET"}

    assert of_the_file - of_the_demo <= example
    assert {f"VOXLAKE_{name.upper()}" for name in Settings.model_fields} <= example
    assert set(REQUIRED) <= example
