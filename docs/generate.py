"""Writes the documents that follow from the code; `--check` fails where one is not what the code says."""

from __future__ import annotations

import argparse
import difflib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PROJECT = DOCS.parent
NOTE = "<!-- Written by docs/generate.py (`make docs`) from {source}. Do not edit. -->"


def data_dictionary() -> str:
    """The tables, column by column."""
    from voxlake.lake.schemas import TABLES

    lines = [
        "# Data dictionary",
        "",
        NOTE.format(source="include/voxlake/lake/schemas.py"),
        "",
        "Times are UTC, to the millisecond; ids are text; paths are relative to the lake's root. Every table is one "
        "Parquet file a UTC day, `tables/<table>/date=YYYY-MM-DD/<table>.parquet`; `date` is a column too when the "
        "files are read with `hive_partitioning`. The same descriptions stand in the schema metadata of every file.",
    ]
    for table in TABLES:
        lines += [
            "",
            f"## {table.name}",
            "",
            f"{table.description} Key: `{', '.join(table.key)}`. `date` is the UTC day of `{table.day_column}`.",
            "",
            "| column | type | what it means |",
            "| --- | --- | --- |",
        ]
        lines += [f"| {column.name} | {_type(column.type)} | {column.description} |" for column in table.columns]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every `VOXLAKE_*` variable."""
    from voxlake.settings import Settings

    lines = [
        "# Settings",
        "",
        NOTE.format(source="include/voxlake/settings.py"),
        "",
        "Environment variables of the Airflow processes; read once, when a process first needs them.",
        "",
        "| variable | what it means |",
        "| --- | --- |",
    ]
    lines += [f"| `VOXLAKE_{name.upper()}` | {field.description} |" for name, field in Settings.model_fields.items()]
    return "\n".join(lines) + "\n"


def dags() -> str:
    """Every DAG: what its own documentation says, its tasks and its params."""
    lines = ["# DAGs", "", NOTE.format(source="dags/")]
    for dag in _dags():
        summary, _, card = inspect.cleandoc(dag.doc_md or "").partition("\n")
        lines += [
            "",
            f"## {dag.dag_id}",
            "",
            summary,
            card.rstrip(),
            "",
            "| task | runs after | pool | retries | rule |",
        ]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {task.task_id} | {', '.join(sorted(task.upstream_task_ids)) or '–'} | {task.pool} | {task.retries} "
            f"| {task.trigger_rule.value} |"
            for task in dag.topological_sort()
        ]
        if dag.params:
            lines += ["", "| param | what it means |", "| --- | --- |"]
            lines += [f"| {name} | {dag.params.get_param(name).description} |" for name in dag.params]
    return "\n".join(lines) + "\n"


def metrics() -> str:
    """Every metric."""
    from voxlake.airflow.metrics import METRICS

    lines = [
        "# Metrics",
        "",
        NOTE.format(source="include/voxlake/airflow/metrics.py"),
        "",
        "Voxlake's tasks send metrics as Airflow sends its own, by StatsD, DogStatsD or OpenTelemetry:",
        "[`[metrics]`](https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/"
        "logging-monitoring/metrics.html) of Airflow's configuration switches them on and says where to. For StatsD:",
        "",
        "    AIRFLOW__METRICS__STATSD_ON=True",
        "    AIRFLOW__METRICS__STATSD_HOST=statsd.example.com",
        "",
        "Airflow puts its own prefix before each name: `airflow.voxlake.requests`. `<group>` is RingCentral's name of",
        "a quota: `heavy` (call log and recordings), `auth` (logins). Plain StatsD has no tags; with several",
        "credentials switch on `AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED`, or their gauges overwrite each other.",
        "",
        "Tasks send what they did when they end, also when they fail or give their slot back; a killed task sends",
        "nothing.",
        "",
        "With `docker-compose.yaml`, put these variables into `.env`; `deploy/helm/values.yaml` has them on. For",
        "OpenTelemetry: `AIRFLOW__METRICS__OTEL_ON=True`, with `OTEL_EXPORTER_OTLP_ENDPOINT`.",
        "",
        "`deploy/grafana/voxlake.json` is a dashboard of all of them: import it in Grafana and choose the Prometheus",
        "that [statsd_exporter](https://github.com/prometheus/statsd_exporter) feeds, as in Airflow's chart. It needs",
        "the tags.",
        "",
        "| name | type | unit | tags | what it means | alarm |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for metric in METRICS:
        tags = ", ".join(metric.tags) or "–"
        name = f"`{metric.name}`"
        lines.append(f"| {name} | {metric.kind} | {metric.unit} | {tags} | {metric.meaning} | {metric.alarm or '–'} |")
    return "\n".join(lines) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "data-dictionary.md": data_dictionary,
    "settings.md": settings,
    "dags.md": dags,
    "metrics.md": metrics,
}


def main() -> int:
    """Writes or checks all documents; 1 if one differs under `--check`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a document is out of date")
    check = parser.parse_args().check
    stale = 0
    home = tempfile.TemporaryDirectory()
    # Before anything is imported: Airflow reads its configuration when it is first imported, and writes one.
    os.environ |= {"AIRFLOW_HOME": home.name, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    for name, make in DOCUMENTS.items():
        file, text = DOCS / name, make()
        old = file.read_text() if file.exists() else ""
        if old == text:
            continue
        if check:
            stale += 1
            sys.stderr.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, "the code"))
        else:
            file.write_text(text)
            print(f"wrote docs/{name}")
    if stale:
        print(f"{stale} documents are out of date: run `make docs` and commit what it writes", file=sys.stderr)
    return 1 if stale else 0


def _type(arrow_type: Any) -> str:
    if str(arrow_type).startswith("list<"):
        item = arrow_type.value_type
        names = ", ".join(field.name for field in item) if hasattr(item, "num_fields") and item.num_fields else ""
        return f"list of {{{names}}}" if names else f"list of {item}"
    return str(arrow_type).replace("timestamp[ms, tz=UTC]", "timestamp (ms, UTC)")


def _dags() -> Iterator[Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT / "dags")
    if bag.import_errors:
        raise SystemExit(f"DAGs that cannot be imported: {bag.import_errors}")
    yield from (bag.dags[dag_id] for dag_id in sorted(bag.dags))


if __name__ == "__main__":
    sys.exit(main())
