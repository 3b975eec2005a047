from pathlib import Path

import numpy as np
import pytest

from tests.audio.formats import FORMATS
from tests.audio.sounds import Decode, MakeTone
from voxlake.audio.decode import decoded, judge
from voxlake.audio.mp3_decoder import Damage
from voxlake.audio.probe import Defect, measure


def ours(path: Path) -> tuple[np.ndarray, int]:
    damage = Damage()
    return np.concatenate(list(decoded(measure(path), damage)), axis=1), damage.frames


@pytest.mark.parametrize("kind", FORMATS)
def test_every_sample_is_what_ffmpeg_makes_of_it(make_tone: MakeTone, decode: Decode, kind: str) -> None:
    form = FORMATS[kind]
    path = make_tone(form.suffix, *form.options, seconds=3.217, rate=form.rate, channels=form.channels)
    sound, damaged = ours(path)
    assert damaged == 0
    expected = decode(path, form.rate, form.channels).sound
    assert sound.shape == expected.shape
    # Two builds of FFmpeg round differently.
    assert np.abs(sound - expected).max() < 1e-5


@pytest.mark.parametrize("number", [0, 5, 63, 64, 65, 100, 138])
@pytest.mark.parametrize("side_info", [b"\xff" * 9, b"\x5a" * 2], ids=["undecodable", "concealed"])
def test_a_damaged_frame_is_told_and_moves_nothing(
    make_tone: MakeTone, tmp_path: Path, number: int, side_info: bytes
) -> None:
    whole = make_tone(".mp3", "-b:a", "32k", "-write_xing", "0", "-id3v2_version", "0", seconds=5)
    content = bytearray(whole.read_bytes())
    place = number * 144 + 4
    content[place : place + len(side_info)] = side_info
    path = tmp_path / "damaged.mp3"
    path.write_bytes(content)

    sound, damaged = ours(path)

    expected, _ = ours(whole)
    assert 1 <= damaged <= 2
    assert sound.shape == expected.shape
    # A frame is heard in the next one too, and its bits may have been some frames' reservoir.
    far = 576 * 6
    differ = np.flatnonzero(np.abs(sound - expected)[0] > 1e-5)
    assert len(differ)
    assert number * 576 - far < differ.min() <= differ.max() < number * 576 + far
    judged = judge(measure(path))
    assert judged.defect == Defect("damaged", f"{damaged} frames cannot be decoded")
