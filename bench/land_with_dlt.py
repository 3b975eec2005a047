"""A contender of land.py: the same pages through a dlt pipeline to Parquet files in a folder."""

import gzip
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import pyarrow.dataset
from dlt.common.json import json as fast_json

from bench.contenders import report, timed

request = json.load(sys.stdin)
folder = Path(request["folder"])


@dlt.resource(name="calls", primary_key="id", write_disposition="append")
def calls() -> Iterator[list[dict[str, Any]]]:
    """The records of each page; lists of them are what dlt takes fastest."""
    for page in sorted(Path(request["day"]).rglob("*.json.gz")):
        yield fast_json.loadb(gzip.decompress(page.read_bytes()))["records"]


pipeline = dlt.pipeline(
    "land",
    pipelines_dir=str(folder / "pipelines"),
    destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
    dataset_name="tables",
)
with timed() as watch:
    pipeline.run(calls(), loader_file_format="parquet")
report(pyarrow.dataset.dataset(folder / "lake" / "tables" / "calls", format="parquet").count_rows(), watch)
