"""Recordings damaged in every way: the merge never crashes, and never calls a session complete that lacks something.

`VOXLAKE_FUZZ_SEEDS=2000 python -m pytest tests/archive/test_damaged_recordings.py` tries more of them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import imageio_ffmpeg
import pytest

from sandbox.ringcentral import Sandbox
from sandbox.ringcentral.audio import encode_wav, samples_of, tone_of
from tests.archive.archived_day import DAY, Row, merges, plan_session, rows, session_with, upsert
from tests.archive.listening import decode, tones_within
from tests.audio.damage import damaged
from voxlake.archive.merge import MergeOptions, merge_session
from voxlake.audio.probe import measure
from voxlake.lake import layout
from voxlake.lake.local import LocalStorage
from voxlake.lake.schemas import RECORDINGS
from voxlake.ringcentral.client import RingCentralClient

SEEDS = range(int(os.environ.get("VOXLAKE_FUZZ_SEEDS", "60")))
OPTIONS = MergeOptions(tolerance=timedelta(milliseconds=100))
CONTENT_TYPES = {"mp3": "audio/mpeg", "mp3 without a tag": "audio/mpeg", "wav": "audio/wav"}


def recording_of(sandbox: Sandbox, recording_id: str, duration_ms: int, kind: str) -> bytes:
    """A recording as the provider has it."""
    if kind == "wav":
        return encode_wav(samples_of(recording_id, duration_ms, 16_000), 16_000)
    content = sandbox.content_of(recording_id)
    if kind == "mp3":
        return content
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "-", "-c", "copy", "-write_xing", "0"]
    command += ["-id3v2_version", "0", "-f", "mp3", "-"]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


@pytest.mark.parametrize("downloaded", [True, False], ids=["after its download", "at the provider"])
@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_no_damage_makes_a_merge_crash_or_lie(
    sandbox: Sandbox, client: RingCentralClient, lake: LocalStorage, tmp_path: Path, kind: str, downloaded: bool
) -> None:
    truth = session_with(sandbox, 3)
    session = plan_session(client, lake, truth)
    whole = [recording_of(sandbox, part.id, part.duration_ms, kind) for part in truth.recordings]
    known = {row["recording_id"]: row for row in rows(lake, RECORDINGS)}
    paths = [layout.recording_audio(part.id, DAY.date(), CONTENT_TYPES[kind]) for part in truth.recordings]
    for content, path in zip(whole, paths, strict=True):
        lake.put(path, content)
    (tmp_path / "whole").write_bytes(whole[1])
    plays_ms = measure(tmp_path / "whole").properties.duration_ms
    for part, content, path in zip(truth.recordings, whole, paths, strict=True):
        row = known[part.id] | {"type": "Automatic", "claimed_ms": plays_ms, "extracted_at": datetime.now(UTC)}
        row |= {"claimed_ms": None} if part is not truth.recordings[1] else {}
        if downloaded:
            row |= {"status": "downloaded", "audio_path": path, "sha256": hashlib.sha256(content).hexdigest()}
        upsert(lake, RECORDINGS, row)

    statuses: Counter[tuple[str, str]] = Counter()
    for seed in SEEDS:
        how, content = damaged(whole[1], seed)
        lake.put(paths[1], content)
        merge_session(lake, session, "run", OPTIONS)
        (merged,) = merges(lake, "run", session)
        statuses[how, merged["status"]] += 1
        assert_honest(lake, merged, truth.recordings[1].id, plays_ms, f"seed {seed}, {how}", changed=downloaded)
        others = {0: truth.recordings[0].id, -1: truth.recordings[2].id}
        if seed % 10 == 0:
            samples = decode(lake.read(merged["audio_path"]).data)
            for place, recording_id in others.items():
                assert set(tones_within(samples, merged["chapters"][place])) == {tone_of(recording_id)}
    print(kind, "downloaded" if downloaded else "at the provider", dict(sorted(statuses.items())))
    assert statuses.total() == len(SEEDS)
    assert any(status == "partial" for _, status in statuses)


def assert_honest(
    lake: LocalStorage, merged: Row, recording_id: str, plays_ms: int, what: str, *, changed: bool
) -> None:
    """What a row says is in the file is there."""
    assert (merged["status"] == "partial") == bool(merged["missing"]), what
    if merged["status"] == "partial":
        assert {lack["recording_id"] for lack in merged["missing"]} == {recording_id}, what
        return
    assert not changed, f"{what}: other bytes than were downloaded, and called complete"
    (chapter,) = (chapter for chapter in merged["chapters"] if chapter["recording_id"] == recording_id)
    # Half an MP3 frame of 36 ms at either end, and the tolerance.
    assert chapter["end_ms"] - chapter["start_ms"] >= plays_ms - 137, f"{what}: shorter, and called complete"
    decode(lake.read(merged["audio_path"]).data)
