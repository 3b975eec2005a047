"""deploy/helm: the settings of docker-compose.yaml, no secret, and what Airflow's chart takes.

The chart is in no registry that the tests reach. Where it is at hand (`helm pull apache-airflow/airflow --version
1.22.0 --untar`), `VOXLAKE_TEST_CHART` names its folder, and its own schema is asked.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from deploy.conftest import WriteEnv

from sandbox.compose_file import PROJECT, read_compose

HELM = PROJECT / "deploy" / "helm"
# The key that the chart reads from each secret, by the value that names the secret.
KEYS = {
    "fernetKeySecretName": "fernet-key",
    "apiSecretKeySecretName": "api-secret-key",
    "jwtSecretName": "jwt-secret",
    "metadataSecretName": "connection",
    "resultBackendSecretName": "connection",
    "brokerUrlSecretName": "connection",
}
# What docker-compose.yaml sets and the chart sets by itself, or from a secret.
OF_THE_CHART = {
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__AUTH_MANAGER",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
}
OF_SECRETS = {
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__BROKER_URL",
    "VOXLAKE_QUOTA_URL",
}


@pytest.fixture
def values() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((HELM / "values.yaml").read_text())
    return loaded


@pytest.fixture
def secrets() -> dict[str, set[str]]:
    """The secrets that the store fills: their names, and their keys."""
    manifests = [one for one in yaml.safe_load_all((HELM / "secrets.yaml").read_text()) if one["kind"] != "SecretStore"]
    return {one["spec"]["target"]["name"]: {entry["secretKey"] for entry in one["spec"]["data"]} for one in manifests}


def test_its_settings_are_those_of_the_compose_file(values: dict[str, Any], write_env: WriteEnv) -> None:
    s3 = {
        "VOXLAKE_LAKE_URL": "s3://my-bucket/voxlake",
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "s3://my-bucket/voxlake-logs",
    }
    of_env_file = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "API_SECRET_KEY", "JWT_SECRET"}
    of_env_file |= {"ADMIN_PASSWORD", "FERNET_KEY", "VOXLAKE_ENV_FILE"}
    worker = read_compose(write_env(**s3))["worker"]
    compose = {
        name: value
        for name, value in worker.environment.items()
        if name not in OF_THE_CHART | OF_SECRETS | of_env_file | {"DUMB_INIT_SETSID"}
    }

    assert {entry["name"]: entry["value"] for entry in values["env"]} == compose
    assert values["executor"] == worker.environment["AIRFLOW__CORE__EXECUTOR"]
    assert (
        str(values["config"]["celery"]["worker_concurrency"])
        == (worker.environment["AIRFLOW__CELERY__WORKER_CONCURRENCY"])
    )
    assert values["images"]["airflow"]["tag"] == worker.definition["image"].split(":")[1]
    assert f"apache/airflow:{values['airflowVersion']}-python3.11" in (PROJECT / "Dockerfile").read_text()


def test_the_user_is_made_as_the_compose_file_makes_it(values: dict[str, Any], write_env: WriteEnv) -> None:
    init = read_compose(write_env())["init"].command[-1].replace("\\\n", " ")
    made = re.search(r"airflow users create .*", init)
    assert made is not None

    assert values["createUserJob"]["args"][-1].split() == ["exec", *made[0].split()]


def test_every_secret_comes_from_the_store(values: dict[str, Any], secrets: dict[str, set[str]]) -> None:
    named = {key: value for key, value in {**values, **values["data"]}.items() if key.endswith("SecretName")}
    named |= {"jwtSecretName": values["jwtSecretName"]}

    assert named.keys() == KEYS.keys()
    for key, name in named.items():
        assert secrets[name] == {KEYS[key]}, key
    (of_environment,) = yaml.safe_load(values["extraEnvFrom"])
    assert secrets[of_environment["secretRef"]["name"]] >= {"ADMIN_PASSWORD", "VOXLAKE_QUOTA_URL"}
    assert len(secrets) == len(KEYS) + 1
    assert not re.search(r"(password|secret|jwt): *[\"']?\w", (HELM / "values.yaml").read_text(), re.IGNORECASE)


@pytest.mark.skipif("VOXLAKE_TEST_CHART" not in os.environ, reason="VOXLAKE_TEST_CHART names no folder with the chart")
def test_the_chart_takes_the_values(values: dict[str, Any]) -> None:
    chart = Path(os.environ["VOXLAKE_TEST_CHART"])
    schema = json.loads((chart / "values.schema.json").read_text())
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]

    def refused(of: dict[str, Any]) -> list[str]:
        validator = jsonschema.validators.validator_for(schema)(schema)
        return [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(of)]

    assert f"--version {version} " in (HELM / "values.yaml").read_text()
    assert refused(values) == []
    assert refused(values | {"workers": {"celery": {"replicas": "two"}}})
