"""Runs the RingCentral sandbox from the command line: `python -m sandbox.ringcentral --help`."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
import threading
from datetime import datetime, timedelta
from typing import Any, cast, get_args

from sandbox.ringcentral.config import (
    DEFAULT_QUOTAS,
    MP3_SAMPLE_RATES,
    AudioFormat,
    CallLogOrder,
    CallMix,
    DeletedRecords,
    Group,
    QuotaLimit,
    SandboxConfig,
)
from sandbox.ringcentral.faults import Fault
from sandbox.ringcentral.server import Sandbox, run_sandbox
from sandbox.ringcentral.timestamps import from_text


def quota_limit(text: str) -> QuotaLimit | None:
    """Reads LIMIT/WINDOW or LIMIT/WINDOW/PENALTY, in seconds, or `off`; the penalty is the window unless given."""
    if text == "off":
        return None
    numbers = text.split("/")
    if len(numbers) not in {2, 3}:
        raise argparse.ArgumentTypeError(f"expected LIMIT/WINDOW[/PENALTY] or off, got {text!r}")
    try:
        return QuotaLimit(int(numbers[0]), float(numbers[1]), float(numbers[-1]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def number_range(text: str) -> tuple[int, int]:
    """Reads LEAST-MOST."""
    least, dash, most = text.partition("-")
    if not (dash and least.isdecimal() and most.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected LEAST-MOST, such as 30-90, got {text!r}")
    return int(least), int(most)


def fault(text: str) -> Fault:
    """Reads ON:KIND or ON:KIND:TIMES."""
    on, _, rest = text.partition(":")
    kind, _, times = rest.partition(":")
    try:
        return Fault(cast(Any, on), cast(Any, kind), times=int(times) if times else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> datetime:
    """Reads ISO 8601 with a timezone."""
    try:
        return from_text(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def build_parser() -> argparse.ArgumentParser:
    """Every knob; what a knob does is told at length in `sandbox/ringcentral/config.py`."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.ringcentral",
        description="A RingCentral look-alike over real HTTP. The same seed gives the same calls and sounds.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_server(parser)
    _add_calls(parser)
    _add_audio(parser)
    _add_limits(parser)
    _add_unestablished(parser)
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("listeners, login and time")
    defaults = SandboxConfig()
    group.add_argument("--host", default=defaults.host, help="address of both listeners")
    group.add_argument("--port", type=int, default=8460, help="platform host; 0 for a free one")
    group.add_argument("--media-port", type=int, default=8461, help="media host; 0 for a free one")
    group.add_argument("--client-id", default=defaults.client_id, help="of the one application")
    group.add_argument("--client-secret", default=defaults.client_secret, help="of the one application")
    group.add_argument("--jwt", default="", help="the one that is accepted; made from the client id when empty")
    group.add_argument("--users", type=int, default=defaults.users, help="that may log in, each with its own quota")
    group.add_argument("--now", type=moment, help="fixed time instead of the real one, ISO 8601 with a timezone")
    group.add_argument("--offset", type=float, default=0.0, help="seconds added to the real time")
    group.add_argument("--latency", type=float, default=defaults.latency, help="seconds that every answer takes longer")
    group.add_argument(
        "--fault",
        type=fault,
        action="append",
        default=[],
        metavar="ON:KIND[:TIMES]",
        help="a bad answer that is switched on from the start, such as content:stall:2; may be repeated",
    )
    group.add_argument("--json", action="store_true", help="print one line of JSON when ready, and no request log")


def _add_calls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("calls")
    mix = CallMix()
    group.add_argument("--seed", type=int, default=1, help="decides every call and every sound")
    group.add_argument("--calls-per-day", type=int, default=mix.calls_per_day, help="telephony sessions a UTC day")
    group.add_argument("--recorded", type=float, default=mix.recorded_share, help="share of answered calls")
    group.add_argument("--on-demand", type=float, default=mix.on_demand_share, help="share of recorded calls")
    group.add_argument("--transferred", type=float, default=mix.transferred_share, help="share of recorded calls")
    group.add_argument(
        "--split-transfers",
        type=float,
        default=mix.split_transfer_share,
        help="share of transfers that make a second call-log record",
    )
    group.add_argument(
        "--repeated-legs",
        type=float,
        default=mix.repeated_leg_share,
        help="share of recorded conversations whose second leg repeats the recording",
    )
    group.add_argument("--short", type=float, default=mix.short_share, help="share of answered calls under 30 seconds")
    group.add_argument("--faxes", type=float, default=mix.fax_share, help="share of all calls")
    group.add_argument(
        "--leg-seconds", type=number_range, default="30-90", help="length of recorded conversations, LEAST-MOST"
    )
    group.add_argument(
        "--transfer-recordings", type=number_range, default="2-4", help="recordings of a transferred call, LEAST-MOST"
    )
    _add_hard_calls(parser)


def _add_hard_calls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("calls that come late, change or belong together")
    mix = CallMix()
    group.add_argument("--long", type=float, default=mix.long_share, help="share of answered calls that last hours")
    group.add_argument("--long-seconds", type=number_range, default="3600-12600", help="their length, LEAST-MOST")
    group.add_argument(
        "--rewritten",
        type=float,
        default=mix.rewritten_share,
        help="share of voice records that are listed in the middle of the call and rewritten later",
    )
    group.add_argument(
        "--rewrite-seconds", type=number_range, default="30-900", help="from call end to that, LEAST-MOST"
    )
    group.add_argument(
        "--unmoved", type=float, default=mix.unmoved_share, help="share of those whose lastModifiedTime stays"
    )
    group.add_argument(
        "--repeated-records",
        type=float,
        default=mix.repeated_record_share,
        help="share of recorded calls whose recording stands on another extension's record too",
    )
    group.add_argument(
        "--conversations",
        type=float,
        default=mix.conversation_share,
        help="share of groups of three calls joined by a transfer with consultation or a conference",
    )
    group.add_argument(
        "--linked-seconds", type=number_range, default="60-900", help="from one of them to the next, LEAST-MOST"
    )


def _add_audio(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("recordings")
    defaults = SandboxConfig()
    group.add_argument("--format", choices=get_args(AudioFormat), default="mp3", help="company setting")
    group.add_argument("--wav-share", type=float, default=defaults.wav_share, help="of a mixed format")
    group.add_argument(
        "--mp3-rate", type=int, choices=MP3_SAMPLE_RATES, default=defaults.mp3_sample_rate, help="sample rate in Hz"
    )
    group.add_argument("--mp3-bit-rate", type=int, default=defaults.mp3_bit_rate, help="constant, in bit/s")
    group.add_argument("--retention-days", type=float, default=defaults.retention_days, help="then they are gone")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("quotas and tokens")
    for name, limit in DEFAULT_QUOTAS.items():
        group.add_argument(
            f"--{name}",
            type=quota_limit,
            default=f"{limit.limit}/{limit.window:g}/{limit.penalty:g}",
            metavar="LIMIT/WINDOW[/PENALTY]",
            help="requests, seconds and seconds; or off",
        )
    group.add_argument("--no-quota", action="store_true", help="limit nothing")
    group.add_argument("--token-seconds", type=int, default=3600, help="longest life of an access token")
    group.add_argument("--refresh-tokens", action="store_true", help="issue refresh tokens")
    group.add_argument("--parallel-sessions", type=int, default=5, help="a further login ends the oldest one")


def _add_unestablished(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("not established by RingCentral's documents")
    group.add_argument("--detailed-per-page-cap", type=int, help="largest page of the Detailed view, such as 250")
    group.add_argument(
        "--media-group", choices=get_args(Group), default="heavy", help="group that recording contents count in"
    )
    group.add_argument(
        "--no-media-rate-headers", action="store_true", help="recording contents carry no X-Rate-Limit headers"
    )
    group.add_argument(
        "--call-log-order", choices=get_args(CallLogOrder), default="descending", help="of the call log, by start time"
    )
    group.add_argument(
        "--deleted-records", choices=get_args(DeletedRecords), default="full", help="what is left of a deleted record"
    )
    group.add_argument("--sync-token-seconds", type=float, help="life of a token of the extract of changes")
    group.add_argument("--appearance-delay", type=float, default=0.0, help="seconds from call end to its record")
    group.add_argument(
        "--recording-delay", type=float, default=0.0, help="seconds from call end to its recordings; 404 CMN-102 before"
    )


def config_of(arguments: argparse.Namespace) -> SandboxConfig:
    """The configuration that the arguments name.

    Raises:
        ValueError: If a number lies out of its range.
    """
    limits = {name: getattr(arguments, name) for name in DEFAULT_QUOTAS}
    return SandboxConfig(
        seed=arguments.seed,
        mix=CallMix(
            calls_per_day=arguments.calls_per_day,
            recorded_share=arguments.recorded,
            on_demand_share=arguments.on_demand,
            transferred_share=arguments.transferred,
            split_transfer_share=arguments.split_transfers,
            repeated_leg_share=arguments.repeated_legs,
            short_share=arguments.short,
            fax_share=arguments.faxes,
            leg_seconds=arguments.leg_seconds,
            transfer_recordings=arguments.transfer_recordings,
            long_share=arguments.long,
            long_seconds=arguments.long_seconds,
            rewritten_share=arguments.rewritten,
            rewrite_seconds=arguments.rewrite_seconds,
            unmoved_share=arguments.unmoved,
            repeated_record_share=arguments.repeated_records,
            conversation_share=arguments.conversations,
            linked_seconds=arguments.linked_seconds,
        ),
        host=arguments.host,
        port=arguments.port,
        media_port=arguments.media_port,
        client_id=arguments.client_id,
        client_secret=arguments.client_secret,
        jwt=arguments.jwt,
        users=arguments.users,
        quotas=None if arguments.no_quota else {name: limit for name, limit in limits.items() if limit is not None},
        media_group=arguments.media_group,
        media_rate_headers=not arguments.no_media_rate_headers,
        token_seconds=arguments.token_seconds,
        refresh_tokens=arguments.refresh_tokens,
        parallel_sessions=arguments.parallel_sessions,
        detailed_per_page_cap=arguments.detailed_per_page_cap,
        call_log_order=arguments.call_log_order,
        deleted_records=arguments.deleted_records,
        sync_token_seconds=arguments.sync_token_seconds,
        appearance_delay=arguments.appearance_delay,
        recording_delay=arguments.recording_delay,
        retention_days=arguments.retention_days,
        audio_format=arguments.format,
        wav_share=arguments.wav_share,
        mp3_sample_rate=arguments.mp3_rate,
        mp3_bit_rate=arguments.mp3_bit_rate,
        latency=arguments.latency,
        now=arguments.now,
        offset=timedelta(seconds=arguments.offset),
    )


def _announce(sandbox: Sandbox, as_json: bool) -> None:
    if as_json:
        line = {
            "platform_url": sandbox.platform_url,
            "media_url": sandbox.media_url,
            "connection": sandbox.connection(),
        }
        sys.stdout.write(json.dumps(line) + "\n")
    else:
        sys.stdout.write(
            f"platform  {sandbox.platform_url}\n"
            f"media     {sandbox.media_url}\n"
            f"truth     {sandbox.platform_url}/sandbox/truth\n"
            f"AIRFLOW_CONN_RINGCENTRAL_DEFAULT='{sandbox.connection_json()}'\n"
        )
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> None:
    """Runs until SIGTERM or SIGINT."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        config = config_of(arguments)
    except ValueError as error:
        parser.error(str(error))
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.WARNING if arguments.json else logging.INFO)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with run_sandbox(config) as sandbox:
        for switched_on in arguments.fault:
            sandbox.faults.add(switched_on)
        _announce(sandbox, arguments.json)
        ended.wait()


if __name__ == "__main__":
    main()
