"""A contender of merge.py: pydub's segments, one added to the other, and exported.

Arguments: the result, its bit rate in bits per second, the legs.
"""

import sys
from pathlib import Path

from pydub import AudioSegment

result, bit_rate, *legs = sys.argv[1:]
conversation = AudioSegment.from_file(legs[0])
for leg in legs[1:]:
    conversation += AudioSegment.from_file(leg)
if Path(result).suffix == ".mp3":
    # Without a bit rate it takes ffmpeg's default, and the file gets twice as large.
    conversation.export(result, format="mp3", bitrate=bit_rate)
else:
    conversation.export(result, format="wav")
