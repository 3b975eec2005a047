"""How fast recordings become one file, in how much memory, and how right it is: Voxlake beside ffmpeg, sox and pydub.

The legs are one tone that wanders in frequency, cut into six of five minutes and forty of one minute: MP3 of LAME
(8 kHz at 16 kbit/s, 16 kHz at 32 kbit/s, with its Info frame) and WAV (µ-law of 8 kHz, PCM of 16 bits and 16 kHz). What
each contender makes is decoded by the ffmpeg binary, and every leg is looked for in it: `joint` is the most that one
lies off of where it belongs behind the one before it, `mean` and `worst` are how far the legs start from their true
places, and `length` is how much too long the file is, all in milliseconds. `errors` are lines that ffmpeg complains
with.

Each contender is a process from its start to its end, as a person starts it, with the threads that it starts by itself:
none is told a number. `voxlake, warm` is the call alone, in a process that has merged before, as the archive's worker
makes it. They run in turns; the least wall and the least processor time of the runs count, and the highest memory (of
all processes of a contender together). MP3s that are alike are always copied by Voxlake, so it encodes MP3 only where
they are not, and WAV.

Needs the ffmpeg and sox binaries; Debian: apt-get install ffmpeg sox libsox-fmt-mp3
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import PEERS, PROJECT, run
from bench.measured_process import Cost, measure
from bench.mergers import ENCODES, VOXLAKE, WARM, Case, Contender, Kind, Rightness, contenders, judge, make_legs

# The aims of the merge.
TIMES_FASTER = 5
MOST_ENCODED_MS = 1.0
MOST_MB = 80

_MP3_8, _MP3_16 = Kind("mp3", 8_000), Kind("mp3", 16_000)
_MULAW_8, _PCM_16 = Kind("mulaw", 8_000), Kind("pcm16", 16_000)
_SIZES = ((6, 300), (40, 60))
CASES = [
    *(Case([kind], *size, ".mp3") for size in _SIZES for kind in (_MP3_8, _MP3_16)),
    *(Case([kind], *size, ".wav") for size in _SIZES for kind in (_MULAW_8, _PCM_16)),
    *(Case([kind], *size, ".mp3") for size in _SIZES for kind in (_MULAW_8, _PCM_16)),
    Case([_MP3_16, _MP3_8], *_SIZES[0], ".mp3"),
]


@dataclass(frozen=True)
class Row:
    """What came of a contender: the best of its runs, and how right its result is."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    rightness: Rightness


@dataclass(frozen=True)
class Finding:
    """An aim, what was measured, and whether it is reached."""

    aim: str
    measured: str
    reached: bool


def main() -> None:
    """Prints a table for each case, and what came of the aims."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turns; the best counts (default 3)")
    parser.add_argument("--keep", type=Path, default=Path(".bench"), help="where the legs are kept (default .bench)")
    parser.add_argument(
        "--case",
        action="append",
        choices=[case.name for case in CASES],
        metavar="CASE",
        help=f"only this one; may be given more than once: {', '.join(case.name for case in CASES)}",
    )
    options = parser.parse_args()

    _require_binaries()
    print(f"{_version('ffmpeg', '-version')}; {_version('sox', '--version')}; the best of {options.runs} runs")
    findings: dict[str, list[Finding]] = {}
    for case in CASES:
        if options.case and case.name not in options.case:
            continue
        legs = make_legs(case, options.keep.absolute() / f"legs-{case.legs}x{case.leg_seconds}")
        print(f"\n{case.name}: {case.legs} legs of {case.leg_seconds} s; Voxlake has to {case.method}")
        rows = _run_all(case, legs, options.runs)
        _print_table(rows)
        findings[case.name] = _findings(case, rows)
    _print_findings(findings)


def _require_binaries() -> None:
    missing = [name for name in ("ffmpeg", "ffprobe", "sox") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"{', '.join(missing)} not found; Debian: apt-get install ffmpeg sox libsox-fmt-mp3")
    if not PEERS.exists():
        raise SystemExit(f"{PEERS} does not exist; `make bench` makes it.")
    # Its MP3 is a package of its own, without which sox does not know the format.
    known = subprocess.run(["sox", "--help"], capture_output=True, text=True, check=False)  # noqa: S607 - of the PATH
    if " mp3 " not in known.stdout:
        raise SystemExit("sox knows no MP3; Debian: apt-get install libsox-fmt-mp3")


def _version(program: str, option: str) -> str:
    shown = subprocess.run([program, option], capture_output=True, text=True, check=True)  # noqa: S603 - two names of ours
    return " ".join(shown.stdout.splitlines()[0].split(" Copyright")[0].replace("SoX", "").split()).replace(":", "")


def _run_all(case: Case, legs: Sequence[Path], runs: int) -> dict[str, Row]:
    """Runs all contenders in turns, and judges what each made in its first run."""
    costs: dict[str, list[Cost]] = {}
    rights: dict[str, Rightness] = {}
    with tempfile.TemporaryDirectory(prefix="voxlake-bench-") as folder:
        listed, result = Path(folder, "legs.txt"), Path(folder, f"merged{case.suffix}")
        listed.write_text("".join(f"file '{leg}'\n" for leg in legs))
        for _ in range(runs):
            for contender in contenders(case):
                _add(costs, rights, contender.name, _cost(contender, case, legs, listed, result), case, result)
                if contender.name == VOXLAKE:
                    _add(costs, rights, WARM, _warm_cost(case, legs, result), case, result)
    for name, all_costs in costs.items():
        if name not in rights:
            print(f"{name} refuses: {all_costs[0].complaint}")
    return {
        name: Row(
            min(cost.seconds for cost in costs[name]),
            min(cost.cpu_seconds for cost in costs[name]),
            max(cost.peak_mb for cost in costs[name]),
            right,
        )
        for name, right in rights.items()
    }


def _add(
    costs: dict[str, list[Cost]],
    rights: dict[str, Rightness],
    name: str,
    cost: Cost,
    case: Case,
    result: Path,
) -> None:
    costs.setdefault(name, []).append(cost)
    if cost.status == 0 and name not in rights:
        rights[name] = judge(case, result)


def _cost(contender: Contender, case: Case, legs: Sequence[Path], listed: Path, result: Path) -> Cost:
    result.unlink(missing_ok=True)
    cost = measure([str(word) for word in contender.command(case, legs, listed, result)], PROJECT)
    if cost.status and contender.name in (VOXLAKE, "pydub"):
        raise SystemExit(f"{contender.name} failed with exit status {cost.status}: {cost.complaint}")
    return cost


def _warm_cost(case: Case, legs: Sequence[Path], result: Path) -> Cost:
    result.unlink(missing_ok=True)
    request = {
        "legs": [str(leg) for leg in legs],
        "result": str(result),
        "bit_rate": case.bit_rate,
        "method": case.method,
    }
    outcome = run("merge_with_voxlake", request)
    return Cost(0, outcome.seconds, outcome.cpu_seconds, outcome.peak_mb, "")


def _print_table(rows: Mapping[str, Row]) -> None:
    """Prints a line a contender, with its times as many times those of Voxlake."""
    first = rows[VOXLAKE]
    print(
        f"{'':18}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'wall':>8}{'CPU':>8}"
        f"{'joint':>10}{'mean':>10}{'worst':>10}{'length':>11}{'errors':>8}"
    )
    for name, row in rows.items():
        right = row.rightness
        print(
            f"{name:18}{row.seconds:8.2f}{row.cpu_seconds:8.2f}{row.peak_mb:9.0f}"
            f"{row.seconds / first.seconds:6.1f} x{row.cpu_seconds / first.cpu_seconds:6.1f} x"
            f"{right.joint_ms:10.2f}{right.mean_ms:10.2f}{right.worst_ms:10.2f}{right.length_ms:+11.2f}{right.errors:8}"
            f"{'  ' * bool(right.wrong)}{'; '.join(right.wrong)}"
        )


def _findings(case: Case, rows: Mapping[str, Row]) -> list[Finding]:
    """What the aims say of a case."""
    own, warm = rows[VOXLAKE], rows[WARM]
    right = own.rightness
    found = [
        Finding(f"under {MOST_MB} MB", f"{own.peak_mb:.0f} MB", own.peak_mb < MOST_MB),
        Finding("no decode error, nothing wrong", f"{right.errors} errors", not right.errors and not right.wrong),
    ]
    if case.method == "copy":
        drift = f"drift of at most a frame ({case.frame_ms:.0f} ms)"
        found.append(Finding(drift, f"{right.worst_ms:.2f} ms", right.worst_ms <= case.frame_ms))
        found += _speed(f"{TIMES_FASTER} times faster than ", TIMES_FASTER, case, rows, own, "")
        found += _speed(f"{TIMES_FASTER} times faster than ", TIMES_FASTER, case, rows, warm, ", warm")
    else:
        aim = f"under {MOST_ENCODED_MS:.0f} ms a joint"
        found.append(Finding(aim, f"{right.joint_ms:.3f} ms", right.joint_ms < MOST_ENCODED_MS))
        found += _speed("no slower than ", 1, case, rows, own, "")
        found += _speed("no slower than ", 1, case, rows, warm, ", warm")
    return found


def _speed(aim: str, factor: float, case: Case, rows: Mapping[str, Row], own: Row, how: str) -> list[Finding]:
    """How Voxlake's time stands to that of ffmpeg; of copies, to the fastest that keeps the legs in their places."""
    processes = {name: row for name, row in rows.items() if name.startswith("ffmpeg")}
    rivals = [ENCODES]
    if case.method == "copy":
        rivals = [name for name, row in processes.items() if _exact(case, row.rightness)]
    told = "; ".join(
        f"{row.seconds / own.seconds:.2f} x (CPU {row.cpu_seconds / own.cpu_seconds:.2f} x) against {name}"
        for name, row in processes.items()
    )
    if not rivals:
        return []
    rival = min(rivals, key=lambda name: rows[name].seconds)
    return [Finding(f"{aim}{rival}{how}", told, rows[rival].seconds >= factor * own.seconds)]


def _exact(case: Case, right: Rightness) -> bool:
    return right.worst_ms <= case.frame_ms and not right.errors and not right.wrong


def _print_findings(findings: Mapping[str, Sequence[Finding]]) -> None:
    every = [finding for found in findings.values() for finding in found]
    print(f"\nthe aims: {sum(finding.reached for finding in every)} of {len(every)} reached")
    for name, found in findings.items():
        print(name)
        for finding in found:
            print(f"  {'reached' if finding.reached else 'MISSED ':8}{finding.aim}: {finding.measured}")


if __name__ == "__main__":
    main()
