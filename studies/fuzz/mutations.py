"""Damage of bytes and of text, drawn from a seeded generator."""

from __future__ import annotations

import random
import struct

INTEGERS = (0, 1, 127, 128, 255, 256, 32_767, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
"""Values at the edges of the integer types in which formats store sizes and offsets."""

WORDS = (
    "", " ", "0", "-1", "1e999", "nan", "-inf", "0x10", "1_000", "99999999999999999999", "1,5",
    "null", "true", "[]", "{}", "é", "\u202e", "\U0001f600", "a\x00b", "\n", "\t", "\r\n", "'",
    '"', "%s", "{0}", "../..", "/", ".", "~", "*", "-", "--", "=", "A" * 5_000,
)  # fmt: skip
"""Texts that parsers, formatters and file systems treat specially."""


def damage(rng: random.Random, content: bytes) -> bytes:
    """`content` after one to four random mutations; in every second draw it stays as it is."""
    if rng.random() < 1 / 2:
        return content
    for _ in range(rng.randint(1, 4)):
        content = rng.choice(_MUTATIONS)(rng, bytearray(content))
    return content


def damage_text(rng: random.Random, text: str) -> bytes:
    """`text` with up to three words replaced by `WORDS`; now and then in another encoding, or
    damaged.
    """
    parts = _split(text)
    for _ in range(rng.randint(0, 3)):
        parts[rng.randrange(len(parts))] = rng.choice(WORDS)
    encoding = rng.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-8-sig", "utf-16", "latin-1"))
    content = "".join(parts).encode(encoding, errors="replace")
    return damage(rng, content) if rng.random() < 1 / 4 else content


def _split(text: str) -> list[str]:
    """`text` cut at every change between letters, digits and other characters."""
    parts, last = [""], ""
    for character in text:
        kind = "word" if character.isalnum() or character in "._-" else character
        if kind != last:
            parts.append("")
        parts[-1] += character
        last = kind
    return parts


def _position(rng: random.Random, content: bytearray) -> int:
    """A random offset; half of them within the first 128 bytes, where headers are."""
    end = len(content) if rng.random() < 1 / 2 else min(len(content), 128)
    return rng.randrange(end) if end else 0


def _flip_bits(rng: random.Random, content: bytearray) -> bytes:
    for _ in range(rng.randint(1, 8) if content else 0):
        content[_position(rng, content)] ^= 1 << rng.randrange(8)
    return bytes(content)


def _truncate(rng: random.Random, content: bytearray) -> bytes:
    return bytes(content[: _position(rng, content)])


def _delete(rng: random.Random, content: bytearray) -> bytes:
    start = _position(rng, content)
    return bytes(content[:start] + content[start + rng.randint(1, 64) :])


def _insert(rng: random.Random, content: bytearray) -> bytes:
    start = _position(rng, content)
    return bytes(content[:start]) + rng.randbytes(rng.randint(1, 64)) + bytes(content[start:])


def _repeat(rng: random.Random, content: bytearray) -> bytes:
    start = _position(rng, content)
    part = bytes(content[start : start + rng.randint(1, 512)])
    return bytes(content[:start]) + part * rng.randint(2, 20) + bytes(content[start:])


def _overwrite_integer(rng: random.Random, content: bytearray) -> bytes:
    start, form = _position(rng, content), rng.choice(("<I", ">I", "<H", ">H", "B"))
    largest = 256 ** struct.calcsize(form) - 1
    packed = struct.pack(form, min(rng.choice(INTEGERS), largest))
    return bytes(content[:start]) + packed + bytes(content[start + len(packed) :])


def _zero(rng: random.Random, content: bytearray) -> bytes:
    start = _position(rng, content)
    size = min(rng.randint(1, 256), len(content) - start)
    return bytes(content[:start]) + bytes(size) + bytes(content[start + size :])


_MUTATIONS = (_flip_bits, _truncate, _delete, _insert, _repeat, _overwrite_integer, _zero)
