"""Sinch's part of the demo: calls that ask Voxlake what to do, and are recorded into a bucket as it says."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from moto.server import ThreadedMotoServer

from sandbox.sinch import SinchSandbox, run_sinch_sandbox

_BUCKET = "sinch-recordings"
_CREDENTIALS = "demo:demo-secret:us-east-1"
# Who calls, whom, and for how many seconds they talk.
_CALLS = (
    ("15550100011", "+15550100021", 12.0),
    ("15550100012", "+15550100022", 31.0),
    ("15550100013", "+15550100023", 8.0),
)


@dataclass(frozen=True)
class SinchDemo:
    """A Sinch application and its bucket.

    Attributes:
        sandbox: The look-alike of Sinch.
        s3_endpoint: The S3 server that has the bucket.
    """

    sandbox: SinchSandbox
    s3_endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """The connections to both, as variables of Airflow."""
        key, secret, region = _CREDENTIALS.split(":")
        extra = {"endpoint_url": self.s3_endpoint, "region_name": region}
        bucket = {"conn_type": "aws", "login": key, "password": secret, "extra": extra}
        return {
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(bucket),
            "AIRFLOW_CONN_SINCH_DEFAULT": self.sandbox.connection_json(
                destination=f"s3://{_BUCKET}/calls/", recording_secret=_CREDENTIALS
            ),
        }

    def place_calls(self, airflow_url: str) -> int:
        """Has some people call each other, and the receiver of Airflow at this URL asked what to do; how many calls."""
        self.sandbox.call_back_to(f"{airflow_url}/voxlake-webhooks/sinch")
        for cli, to, seconds in _CALLS:
            self.sandbox.place_call(seconds, cli=cli, to=to)
        return len(_CALLS)


@contextmanager
def run_sinch_demo() -> Iterator[SinchDemo]:
    """Runs the look-alike and the S3 server for the length of a `with` block."""
    # It would print a line for each request.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        key, secret, region = _CREDENTIALS.split(":")
        s3 = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id=key, aws_secret_access_key=secret, region_name=region
        )
        s3.create_bucket(Bucket=_BUCKET)
        with run_sinch_sandbox(endpoint) as sandbox:
            yield SinchDemo(sandbox, endpoint)
    finally:
        server.stop()
