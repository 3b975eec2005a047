"""The command line: announces itself when it accepts, logs requests, ends cleanly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta

import pytest
import requests

from sandbox.ringcentral import CallMix, Fault, QuotaLimit
from sandbox.ringcentral.__main__ import build_parser, config_of, fault, number_range, quota_limit
from sandbox.ringcentral.config import DEFAULT_QUOTAS, SandboxConfig


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runs_until_it_is_told_to_end(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "sandbox.ringcentral", "--port", "0", "--media-port", "0", "--json"]
    command += ["--fault", "call_log:error:2", "--fault", "content:stall"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        health = [requests.get(f"{ready[name]}/sandbox/health", timeout=10) for name in ("platform_url", "media_url")]
        faults = requests.get(f"{ready['platform_url']}/sandbox/faults", timeout=10).json()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)

    assert [answer.json()["status"] for answer in health] == ["ok", "ok"]
    assert [(one["on"], one["kind"], one["times"]) for one in faults] == [
        ("call_log", "error", 2),
        ("content", "stall", None),
    ]
    assert ready["connection"] == {
        "conn_type": "ringcentral",
        "host": ready["platform_url"],
        "login": "sandbox-client",
        "password": "sandbox-secret",
        "extra": {"jwt": SandboxConfig().jwt, "media_host": ready["media_url"]},
    }
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_defaults_are_those_of_the_configuration() -> None:
    config = config_of(build_parser().parse_args(["--port", "0", "--media-port", "0"]))

    assert config == SandboxConfig()


def test_knobs_reach_the_configuration() -> None:
    arguments = "--seed 7 --calls-per-day 9 --heavy 10/60 --auth off --leg-seconds 40-50 --format mixed --offset -60"

    config = config_of(build_parser().parse_args(arguments.split()))

    assert (config.seed, config.mix.calls_per_day, config.mix.leg_seconds) == (7, 9, (40, 50))
    assert config.quotas == {
        "light": DEFAULT_QUOTAS["light"],
        "medium": DEFAULT_QUOTAS["medium"],
        "heavy": QuotaLimit(10, 60, 60),
    }
    assert config.audio_format == "mixed"
    assert config.offset == timedelta(seconds=-60)
    hard = (
        "--long 0.1 --long-seconds 100-200 --rewritten 0.2 --rewrite-seconds 5-6 --unmoved 0.3 --repeated-records 0.4 "
        "--conversations 0.5 --linked-seconds 7-8 --call-log-order ascending --deleted-records stub "
        "--sync-token-seconds 9 --retention-days 10 --latency 0.05"
    )
    changing = config_of(build_parser().parse_args(hard.split()))
    assert changing.mix == CallMix(
        long_share=0.1,
        long_seconds=(100, 200),
        rewritten_share=0.2,
        rewrite_seconds=(5, 6),
        unmoved_share=0.3,
        repeated_record_share=0.4,
        conversation_share=0.5,
        linked_seconds=(7, 8),
    )
    assert (changing.call_log_order, changing.deleted_records) == ("ascending", "stub")
    assert (changing.sync_token_seconds, changing.retention_days, changing.latency) == (9, 10, 0.05)
    assert config_of(build_parser().parse_args(["--no-quota"])).quotas is None
    fixed = config_of(build_parser().parse_args(["--now", "2026-03-04T13:00:00+01:00"]))
    assert fixed.now == datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_a_quota_has_two_or_three_numbers() -> None:
    assert quota_limit("10/2") == QuotaLimit(10, 2, 2)
    assert quota_limit("10/2/0.5") == QuotaLimit(10, 2, 0.5)
    for text in ("10", "0/60", "a/b", "1/2/3/4"):
        with pytest.raises(ArgumentTypeError):
            quota_limit(text)


def test_a_range_has_two_numbers() -> None:
    assert number_range("30-90") == (30, 90)
    with pytest.raises(ArgumentTypeError, match="LEAST-MOST"):
        number_range("30")


def test_a_fault_has_a_place_and_a_kind() -> None:
    assert fault("content:reset:3") == Fault("content", "reset", times=3)
    assert fault("call_log:html") == Fault("call_log", "html")
    for text in ("content", "content:smoke", "smoke:html", "content:html:0", "content:html:often"):
        with pytest.raises(ArgumentTypeError):
            fault(text)
