from io import BytesIO

import pytest

from voxlake.audio.id3 import Chapter
from voxlake.audio.mp3_frames import silent_frame, together
from voxlake.audio.mp3_writer import Mp3Writer


def test_the_seek_table_holds_however_many_frames_there_are() -> None:
    file = BytesIO()
    writer = Mp3Writer(file, 16_000, 1, ["a"])
    frame = silent_frame(16_000, 1, 100)
    for count in (1, 7, 1_000, 3_992):
        writer.write(together([frame] * count))
    writer.finish([Chapter(0, 1)], start_skip=1105, end_skip=0)
    content = file.getvalue()
    marker = content.index(b"Info")
    toc = content[marker + 16 : marker + 116]
    assert int.from_bytes(content[marker + 8 : marker + 12], "big") == 5_000
    assert [round(place - 2.56 * percent) for percent, place in enumerate(toc)] == pytest.approx([0] * 100, abs=1)
