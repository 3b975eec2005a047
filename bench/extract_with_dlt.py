"""A contender of extract.py: dlt's `rest_api` source, to Parquet files in a folder."""

import json
import os
import sys
from pathlib import Path

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import pyarrow.dataset
import requests
from dlt.sources.rest_api import rest_api_source

from bench.contenders import report, timed

request = json.load(sys.stdin)
folder = Path(request["folder"])
pipeline = dlt.pipeline(
    "extract",
    pipelines_dir=str(folder / "pipelines"),
    destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
    dataset_name="tables",
)

with timed() as watch:
    # dlt knows no JWT logins of RingCentral's kind.
    login = requests.post(
        f"{request['host']}/restapi/oauth/token",
        data={"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": request["extra"]["jwt"]},
        auth=(request["login"], request["password"]),
        timeout=60,
    )
    login.raise_for_status()
    source = rest_api_source(
        {
            "client": {
                "base_url": f"{request['host']}/restapi/v1.0/",
                "auth": {"type": "bearer", "token": login.json()["access_token"]},
                "paginator": {"type": "json_link", "next_url_path": "navigation.nextPage.uri"},
            },
            "resources": [
                {
                    "name": "calls",
                    "primary_key": "id",
                    "write_disposition": "append",
                    "endpoint": {
                        "path": "account/~/call-log",
                        "params": {
                            "view": "Detailed",
                            "dateFrom": request["start"],
                            "dateTo": request["end"],
                            "perPage": 1000,
                        },
                        "data_selector": "records",
                    },
                }
            ],
        }
    )
    pipeline.run(source, loader_file_format="parquet")
report(pyarrow.dataset.dataset(folder / "lake" / "tables" / "calls", format="parquet").count_rows(), watch)
