"""What is done to the bytes of a good file, or to the values in it, to make a bad one."""

import contextlib
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

WORDS = ["B", "<H", ">H", "<I", ">I", "<Q", ">Q"]
DEEP = 100_000
TEXTS = ["", " ", "nan", "inf", "-0", "1e999", "-1", "9" * 5000, "0x7f", "\0", "\ud800", "é", "'", '"', ",", "=", "[" * DEEP, "{" * DEEP]
TEXTS.append('{"a":' * DEEP)
VALUES: list[Any] = [None, True, -1, 0, 2**31, 2**63, 10**400, -0.0, 1e308, float("nan"), float("inf"), "", "é", "x" * 70_000, [], {}]

# --- bytes ----------------------------------------------------------------------------------------------------------------------------


def _flip(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place] ^= 1 << random.randrange(8)


def _set_byte(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def _set_word(data: bytearray, random: Random) -> None:
    """An integer at one of the ends of its type, where a size or a place may stand."""
    word = random.choice(WORDS)
    size = struct.calcsize(word)
    top = 256**size
    value = random.choice((0, 1, top - 1, top // 2, top // 2 - 1, top - 8, random.randrange(top), len(data) % top))
    place = random.randrange(len(data))
    data[place : place + size] = struct.pack(word, value)


def _cut_end(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def _cut_out(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    del data[place : place + random.randint(1, 64)]


def _double(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place:place] = data[place : place + random.randint(1, 64)]


def _fill(data: bytearray, random: Random) -> None:
    place, length = random.randrange(len(data)), random.randint(1, 64)
    data[place : place + length] = bytes([random.choice((0, 255, random.randrange(256)))]) * length


def _insert(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place:place] = random.randbytes(random.randint(1, 16))


def _swap(data: bytearray, random: Random) -> None:
    first, second, length = random.randrange(len(data)), random.randrange(len(data)), random.randint(1, 32)
    part = data[first : first + length]
    data[first : first + length] = data[second : second + length]
    data[second : second + length] = part


BYTES: list[Callable[[bytearray, Random], None]] = [_flip, _set_byte, _set_word, _cut_end, _cut_out, _double, _fill, _insert, _swap]


def damaged(data: bytes, random: Random, within: int | None = None) -> bytes:
    """A few changes of bytes; `within` the first so many."""
    changed = bytearray(data[:within])
    for _ in range(random.choice((1, 1, 2, 4))):
        if changed:
            random.choice(BYTES)(changed, random)
    return bytes(changed) + (b"" if within is None else data[within:])


# --- text and values ------------------------------------------------------------------------------------------------------------------


def damaged_text(text: str, random: Random) -> bytes:
    """Lines or words of it left out, doubled, or replaced by what readers stumble over."""
    lines = text.split("\n")
    for _ in range(random.choice((1, 1, 2, 4))):
        number = random.randrange(len(lines))
        choice = random.randrange(4)
        if choice == 0:
            lines[number] = random.choice(TEXTS)
        elif choice == 1:
            lines.insert(number, random.choice(lines))
        elif choice == 2 and len(lines) > 1:
            del lines[number]
        else:
            words = lines[number].split(" ")
            words[random.randrange(len(words))] = random.choice(TEXTS)
            lines[number] = " ".join(words)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def damaged_value(value: Any, random: Random) -> Any:
    """A JSON value with one of the values in it left out, doubled or replaced."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        changed = dict(value)
        choice = random.randrange(6)
        if choice == 0:
            del changed[key]
        elif choice == 1:
            changed[random.choice(("", "x", "é", key + " "))] = changed.pop(key)
        else:
            changed[key] = damaged_value(value[key], random)
        return changed
    if isinstance(value, list) and value and random.random() < 0.9:
        number = random.randrange(len(value))
        choice = random.randrange(6)
        middle = [damaged_value(value[number], random)] if choice > 1 else [] if choice else [value[number]] * random.choice((2, 1000))
        return [*value[:number], *middle, *value[number + 1 :]]
    return random.choice(VALUES)


def damaged_json(text: str, random: Random) -> bytes:
    """The JSON of it damaged as text, or as values."""
    value = None
    with contextlib.suppress(ValueError, RecursionError):  # of text that has been damaged before
        value = json.loads(text)
    if value is None or random.random() < 0.3:
        return damaged_text(text, random)
    return json.dumps(damaged_value(value, random)).encode()


def spliced(seeds: Sequence[bytes], random: Random) -> bytes:
    """The beginning of one and the end of another."""
    first, second = random.choice(seeds), random.choice(seeds)
    return first[: random.randint(0, len(first))] + second[random.randint(0, len(second)) :]
