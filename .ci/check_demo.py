"""Holds a demo's lake against what the tables promise: by SQL, and by decoding every merged file with FFmpeg."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

from tests.end_to_end.listening import decoded_ms
from voxlake.lake.schemas import ACCESS_LOG, TABLES

# Half a frame of the longest MP3 frame, 72 ms: see voxlake.audio.mp3_join.
TOLERANCE_MS = 36.0


def main() -> int:
    """0 if the lake is as it must be."""
    lake = Path(sys.argv[1])
    problems = []
    for table in TABLES:
        # Nobody listens in the demo.
        if table is ACCESS_LOG:
            continue
        files = f"read_parquet('{lake}/tables/{table.name}/**/*.parquet')"
        query = f"select count(*), count(distinct ({', '.join(table.key)})) from {files}"  # noqa: S608 - a path of ours
        ((rows, keys),) = duckdb.sql(query).fetchall()
        print(f"{table.name}: {rows} rows, {keys} keys")
        if rows == 0 or rows != keys:
            problems.append(f"{table.name}: {rows} rows, but {keys} keys")
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


if __name__ == "__main__":
    sys.exit(main())
