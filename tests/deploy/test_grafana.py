"""Every query of the dashboard names a metric that is sent, and every metric that is sent is on it.

That just these are sent, by Airflow's own client over a real socket, is what tests/airflow/test_metrics.py proves.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sandbox.compose_file import PROJECT
from voxlake.airflow.metrics import METRICS, Metric

DASHBOARD: dict[str, Any] = json.loads((PROJECT / "deploy" / "grafana" / "voxlake.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def names_in_prometheus(metric: Metric) -> set[str]:
    """What statsd_exporter calls it: https://github.com/prometheus/statsd_exporter#metric-mapping-and-configuration."""
    whole = [f"airflow.{metric.name}".replace("<group>", group) for group in ("heavy", "auth")]
    name = {re.sub(r"[^a-zA-Z0-9_]", "_", one) for one in whole}
    # A timer is a summary, in seconds.
    return {f"{one}_sum" for one in name} if metric.kind == "timer" else name


SENT = {name: metric for metric in METRICS for name in names_in_prometheus(metric)}


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_names_a_metric_that_is_sent_and_treats_it_as_what_it_is(query: str) -> None:
    named = re.findall(r"airflow_\w+", query)
    assert len(named) == 1
    metric = SENT[named[0]]

    over_time = re.search(r"(?:rate|increase)\(\w+\[\w+\]\)", query)

    # A counter, and the sum of a timer, only grow; a gauge is what it is.
    assert bool(over_time) == (metric.kind != "gauge")
    by = re.search(r"by \((\w+)\)", query)
    if by:
        assert by[1] in metric.tags


def test_every_metric_is_on_it() -> None:
    shown = {name for query in QUERIES for name in re.findall(r"airflow_\w+", query)}

    assert shown == set(SENT)


def test_no_two_panels_lie_upon_each_other() -> None:
    taken = [
        (column, row)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for column in range(place["x"], place["x"] + place["w"])
        for row in range(place["y"], place["y"] + place["h"])
    ]

    assert len(taken) == len(set(taken))
    assert max(column for column, _ in taken) < 24
