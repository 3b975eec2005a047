"""Fixtures that every area of the tests shares."""

from __future__ import annotations

import os
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import numpy as np
import pytest

from sandbox.ringcentral import Sandbox, SandboxConfig, run_sandbox
from tests.audio.sounds import FFMPEG, Decode, Decoded, Describe, MakeTone
from tests.s3_server import s3_server
from voxlake.lake.local import LocalStorage
from voxlake.lake.s3 import S3Storage
from voxlake.lake.storage import Storage

# Airflow reads its configuration when it is first imported, and every test process needs a database of its own.
_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="voxlake-airflow-")
_PROJECT = Path(__file__).resolve().parents[1]
os.environ |= {
    "AIRFLOW_HOME": _AIRFLOW_HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(_PROJECT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(_PROJECT / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_AIRFLOW_HOME.name}/airflow.db",
}

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

StartSandbox = Callable[[SandboxConfig], Sandbox]

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def start_sandbox() -> Iterator[StartSandbox]:
    """Starts any number of sandboxes, which all end with the test."""
    with ExitStack() as running:
        yield lambda config: running.enter_context(run_sandbox(config))


@pytest.fixture
def sandbox(start_sandbox: StartSandbox) -> Sandbox:
    """A RingCentral look-alike whose time stands at noon of 2026-03-04, UTC."""
    return start_sandbox(SandboxConfig(now=NOON))


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 protocol server, whose conditional writes are atomic."""
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> S3Client:
    """boto3's client of that server."""
    return boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )


@pytest.fixture
def s3_bucket(s3_client: S3Client) -> str:
    """An empty bucket there."""
    bucket = f"lake-{uuid.uuid4().hex}"
    s3_client.create_bucket(Bucket=bucket)
    return bucket


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty lake in a folder, and one in S3."""
    if request.param == "local":
        return LocalStorage(tmp_path / "lake")
    return S3Storage(request.getfixturevalue("s3_client"), request.getfixturevalue("s3_bucket"), "a/prefix")


@pytest.fixture(scope="session")
def make_tone(tmp_path_factory: pytest.TempPathFactory) -> MakeTone:
    """Writes a tone into a file whose suffix names the format; further arguments are ffmpeg's for the output."""

    def make(
        suffix: str,
        *options: str,
        pitch: float = 440,
        seconds: float = 2.0,
        rate: int = 16_000,
        channels: int = 1,
        loudness: float = 0.25,
    ) -> Path:
        path = tmp_path_factory.mktemp("tone") / f"{pitch}{suffix}"
        # The sine of ffmpeg has an eighth of full scale.
        source = f"sine={pitch}:r={rate}:d={seconds}:samples_per_frame=80,volume={8 * loudness}"
        command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-ac", str(channels), *options, str(path)]
        subprocess.run(command, check=True)
        return path

    return make


@pytest.fixture(scope="session")
def decode() -> Decode:
    def run(path: Path, rate: int, channels: int = 1) -> Decoded:
        command = [FFMPEG, "-v", "error", "-i", str(path), "-f", "f32le", "-"]
        done = subprocess.run(command, capture_output=True, check=True)
        sound = np.frombuffer(done.stdout, np.float32).reshape(-1, channels).T
        return Decoded(sound, rate, done.stderr.decode())

    return run


@pytest.fixture(scope="session")
def describe() -> Describe:
    """What ffmpeg prints of a file's headers: duration, chapters, titles. It reads no further than the first frames."""

    def run(path: Path) -> str:
        return subprocess.run(
            [FFMPEG, "-hide_banner", "-i", str(path)], capture_output=True, check=False
        ).stderr.decode()

    return run
