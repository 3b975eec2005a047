"""Ways in which a recording can be damaged, made of numbers alone, so that each can be made again."""

from __future__ import annotations

import random
import struct
import zlib

_TEXTS = (
    b"",
    b"<html><body>Sign in</body></html>",
    b'{"errorCode": "CMN-301", "message": "Request rate exceeded"}',
    "Übertragung fehlgeschlagen. ".encode() * 99,
)


def png(side: int) -> bytes:
    """A grey picture."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    lines = (b"\0" + bytes([128]) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def damaged(whole: bytes, seed: int) -> tuple[str, bytes]:
    """A recording as the seed damages it, and what was done to it; never the same bytes."""
    chance = random.Random(seed)
    kind = chance.choice(("cut", "cut", "flipped", "flipped", "torn", "doubled", "zeroed", "grown", "other"))
    place = chance.randrange(len(whole))
    length = chance.choice((1, 16, 144, 1_000, 10_000))
    if kind == "cut":
        return kind, whole[:place]
    if kind == "flipped":
        content = bytearray(whole)
        for _ in range(chance.choice((1, 10, 1_000))):
            content[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        return kind, bytes(content) if content != whole else whole[:-1]
    if kind == "torn":
        return kind, whole[:place] + whole[place + length :]
    if kind == "doubled":
        return kind, whole[:place] + whole[max(0, place - length) : place] + whole[place:] + whole[:1]
    if kind == "zeroed":
        return kind, whole[:place] + bytes(length) + whole[place + length :] + b"\0"
    if kind == "grown":
        return kind, whole + chance.randbytes(length)
    return kind, chance.choice((*_TEXTS, png(64), chance.randbytes(len(whole))))
