"""The formats that recordings come in, and those of the tones that stand for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """What ffmpeg is told to make of a tone."""

    suffix: str
    options: tuple[str, ...]
    rate: int
    channels: int = 1

    @property
    def frame_ms(self) -> float:
        """How long a frame is, 0 for WAV."""
        if self.suffix == ".wav":
            return 0
        return 1000 * (1152 if self.rate >= 32_000 else 576) / self.rate


FORMATS = {
    "mp3 8 kHz": Format(".mp3", ("-b:a", "16k"), 8_000),
    "mp3 8 kHz stereo": Format(".mp3", ("-b:a", "32k"), 8_000, 2),
    "mp3 8 kHz variable": Format(".mp3", ("-q:a", "5"), 8_000),
    "mp3 16 kHz": Format(".mp3", ("-b:a", "32k"), 16_000),
    "mp3 16 kHz stereo": Format(".mp3", ("-b:a", "48k"), 16_000, 2),
    "mp3 16 kHz variable": Format(".mp3", ("-q:a", "5"), 16_000),
    "mp3 24 kHz, deep reservoir": Format(".mp3", ("-b:a", "8k"), 24_000),
    "mp3 44.1 kHz": Format(".mp3", ("-b:a", "64k"), 44_100),
    "mp3 44.1 kHz stereo variable": Format(".mp3", ("-q:a", "4"), 44_100, 2),
    "mp3 without a tag": Format(".mp3", ("-b:a", "32k", "-write_xing", "0"), 16_000),
    "wav 16 bits": Format(".wav", ("-c:a", "pcm_s16le"), 16_000),
    "wav 16 bits 44.1 kHz stereo": Format(".wav", ("-c:a", "pcm_s16le"), 44_100, 2),
    "wav 8 bits": Format(".wav", ("-c:a", "pcm_u8"), 8_000),
    "wav 24 bits": Format(".wav", ("-c:a", "pcm_s24le"), 16_000),
    "wav floats": Format(".wav", ("-c:a", "pcm_f32le"), 16_000),
    "wav µ-law": Format(".wav", ("-c:a", "pcm_mulaw"), 8_000),
    "wav A-law": Format(".wav", ("-c:a", "pcm_alaw"), 8_000),
    "wav ADPCM": Format(".wav", ("-c:a", "adpcm_ima_wav"), 8_000),
}
