"""Holds a demo's lake against what the tables promise: by SQL, and by decoding every merged file with FFmpeg."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import imageio_ffmpeg

KEYS = {
    "calls": "account_id, call_id",
    "legs": "account_id, call_id, leg_index",
    "recordings": "provider, account_id, recording_id",
    "sessions": "provider, account_id, telephony_session_id",
}
# Half a frame of the longest MP3 frame, 72 ms: see voxlake.audio.mp3_join.
TOLERANCE_MS = 36.0
RATE = 48_000


def main() -> int:
    """0 if the lake is as it must be."""
    lake = Path(sys.argv[1])
    problems = []
    for table, key in KEYS.items():
        files = f"read_parquet('{lake}/tables/{table}/**/*.parquet')"
        query = f"select count(*), count(distinct ({key})) from {files}"  # noqa: S608 - a path of ours
        ((rows, keys),) = duckdb.sql(query).fetchall()
        print(f"{table}: {rows} rows, {keys} keys")
        if rows == 0 or rows != keys:
            problems.append(f"{table}: {rows} rows, but {keys} keys")
    sessions = duckdb.sql(f"""
        with recordings as (from read_parquet('{lake}/tables/recordings/**/*.parquet')),
             parts as (select telephony_session_id, count(*) as parts, sum(duration_ms) as length_ms
                       from recordings group by all)
        select telephony_session_id, parts, length_ms, status, len(recording_ids), audio_path
        from parts left join read_parquet('{lake}/tables/sessions/**/*.parquet') using (telephony_session_id)
    """).fetchall()  # noqa: S608 - a path of ours
    worst = 0.0
    for session, parts, length_ms, status, merged, path in sessions:
        if status != "complete" or merged != parts:
            problems.append(f"{session}: {status}, {merged} of {parts} recordings")
            continue
        off = decoded_ms(lake / path) - length_ms
        worst = max(worst, abs(off))
        if abs(off) > TOLERANCE_MS:
            problems.append(f"{session}: decodes {off:+.1f} ms longer than its {parts} parts")
    of_many = sum(parts > 1 for _, parts, *_ in sessions)
    print(f"{len(sessions)} sessions ({of_many} of several recordings) decode; worst difference {worst:.1f} ms")
    print("\n".join(problems))
    return 1 if problems or not of_many else 0


def decoded_ms(file: Path) -> float:
    """How long FFmpeg's decoder makes of a file, in milliseconds.

    Raises:
        SystemExit: The decoder complains.
    """
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(file), "-ac", "1", "-ar", str(RATE)]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=False)  # noqa: S603 - no shell
    if done.returncode or done.stderr:
        raise SystemExit(f"{file}: {done.stderr.decode()}")
    return len(done.stdout) / 2 / RATE * 1000


if __name__ == "__main__":
    sys.exit(main())
