"""Decodes a file to samples: as many as it is measured to have, whatever is damaged in it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from av.audio.resampler import AudioResampler

from voxlake.audio.mp3_decoder import Damage, Mp3Decoder
from voxlake.audio.mp3_reader import Mp3Reader
from voxlake.audio.probe import Defect, Measured, decoded_packets, not_audio
from voxlake.audio.wav_file import Samples


def decoded(measured: Measured, damage: Damage) -> Iterator[Samples]:
    """The samples that a player plays, as floats of shape (channels, samples).

    What cannot be decoded is silence, so that all behind it stays in its place.

    Args:
        measured: Which file.
        damage: Counts what cannot be decoded.

    Raises:
        NotAudioError: FFmpeg cannot read on.
        OSError: The file cannot be read.
    """
    if measured.wav is not None:
        for block in measured.wav.blocks():
            yield measured.wav.to_floats(block)
        return
    mp3 = measured.properties.codec == "mp3" and measured.properties.content_type == "audio/mpeg"
    blocks = _decoded_mp3(measured, damage) if mp3 else _decoded_other(measured, damage)
    yield from _exactly(blocks, measured.start_skip, measured.audible, measured.properties.channels)


def judge(measured: Measured, hear: Callable[[Samples], None] | None = None) -> Measured:
    """Decode a file to its end, and say what is wrong with it.

    Args:
        measured: Which file.
        hear: Gets the samples as they come.

    Returns:
        The same with the defect that shows first: one of its frames' order, else of what they hold.
    """
    damage = Damage()
    for block in decoded(measured, damage):
        if hear is not None:
            hear(block)
    return judged_by(measured, damage)


def judged_by(measured: Measured, damage: Damage) -> Measured:
    """The same with the damage that was found while it was decoded; a defect that is known already comes first."""
    if not damage.frames:
        return measured
    defect = Defect("damaged", f"{damage.frames:,} frames cannot be decoded")
    return replace(measured, defect=measured.defect or defect, undecodable=damage.frames)


def _decoded_mp3(measured: Measured, damage: Damage) -> Iterator[Samples]:
    reader = Mp3Reader(measured.path)
    if reader.header is None:
        raise not_audio(measured.path)
    decoder = Mp3Decoder(reader.header, damage)
    for frames in reader.frames():
        yield from decoder.decode(frames)


def _decoded_other(measured: Measured, damage: Damage) -> Iterator[Samples]:
    resampler = AudioResampler("fltp")
    for frames in decoded_packets(measured.path):
        damage.frames += frames is None
        for frame in frames or ():
            frame.pts = None
            for sound in resampler.resample(frame):
                yield sound.to_ndarray().astype(np.float32, copy=False)


def _exactly(blocks: Iterator[Samples], skip: int, length: int, channels: int) -> Iterator[Samples]:
    """Of some blocks so many samples behind those that are skipped; silence for those that are not there."""
    for block in blocks:
        part = block[:, skip : skip + length]
        skip = max(0, skip - block.shape[1])
        length -= part.shape[1]
        if part.shape[1]:
            yield part
    if length:
        yield np.zeros((channels, length), np.float32)
