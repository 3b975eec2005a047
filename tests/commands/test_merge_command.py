from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audio.sounds import Decode, MakeTone


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voxlake", "merge", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp3", "mp3"), (".flac", "flac"), (".opus", "opus")])
def test_the_suffix_of_the_output_says_its_format(
    make_tone: MakeTone, decode: Decode, tmp_path: Path, suffix: str, codec: str
) -> None:
    parts = [make_tone(".mp3", pitch=500, seconds=2), make_tone(".wav", pitch=900, seconds=1.5, rate=8_000)]
    done = run(*parts, "-o", tmp_path / f"all{suffix}", "--peaks", tmp_path / "peaks.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{tmp_path}/all{suffix}: 0:00:03.500, {codec} {48_000 if codec == 'opus' else 16_000} Hz, 1 channel, encoded",
        f"  0:00:00.000 to 0:00:02.000  {parts[0]}",
        f"  0:00:02.000 to 0:00:03.500  {parts[1]}",
    ]
    rate = 48_000 if codec == "opus" else 16_000
    assert decode(tmp_path / f"all{suffix}", rate).pitch(2_200, 3_300) == pytest.approx(900, abs=3)
    assert json.loads((tmp_path / "peaks.json").read_text())["duration"] == 3.5


def test_what_is_alike_is_copied_and_may_have_gaps(make_tone: MakeTone, decode: Decode, tmp_path: Path) -> None:
    parts = [make_tone(".wav", pitch=pitch, seconds=1) for pitch in (500, 900)]
    done = run(*parts, "-o", tmp_path / "all.wav", "--starts", "0,61.5")
    assert done.stdout.splitlines()[0].endswith("0:01:02.500, pcm_s16le 16000 Hz, 1 channel, copied")
    assert decode(tmp_path / "all.wav", 16_000).pitch(61_600, 62_400) == pytest.approx(900, abs=3)


def test_a_recording_that_breaks_off_is_named_and_merged(make_tone: MakeTone, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(make_tone(".wav", seconds=4).read_bytes()[:64_044])
    done = run(cut, make_tone(".wav"), "-o", tmp_path / "all.wav")
    assert done.returncode == 1
    assert f"{cut}: truncated: plays 2.0 s of the 4.0 s that its header states" in done.stderr
    assert (tmp_path / "all.wav").exists()


def test_what_cannot_be_merged_is_told_in_a_line(make_tone: MakeTone, tmp_path: Path) -> None:
    tone, page, out = make_tone(".mp3"), tmp_path / "page.mp3", tmp_path / "all.mp3"
    page.write_text("<html>Too many requests</html>")
    for arguments, said in (
        ([tone, page, "-o", out], f"{page}: not MP3 or WAV audio but a web page"),
        ([tone, tmp_path / "none.mp3", "-o", out], "No such file or directory"),
        ([tone, "-o", tmp_path / "all.aac"], "name the output .mp3, .wav, .flac or .opus"),
        ([tone, tone, "-o", tmp_path / "all.wav"], "these recordings are not WAVs that are alike"),
        ([tone, tone, "-o", out, "--starts", "5,1"], "none before the one before it"),
        ([tone, tone, "-o", out, "--starts", "x"], "expected seconds such as 0,61.5,90"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == [page]


def test_help_of_the_program_and_of_the_command() -> None:
    program = subprocess.run([sys.executable, "-m", "voxlake", "--help"], capture_output=True, text=True, check=True)
    assert "merge recordings into one file" in program.stdout
    assert "exit status: 0 if every recording is whole" in run("--help").stdout


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(make_tone: MakeTone, tmp_path: Path) -> None:
    arguments = [make_tone(".mp3", seconds=30), make_tone(".wav", seconds=30), "-o", tmp_path / "all.mp3"]
    assert "merging" not in run(*arguments).stderr
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "voxlake", "merge", *map(str, arguments)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"\rmerging  5\d %", drawn)
    assert drawn.endswith("merging 100 %\r\n")
