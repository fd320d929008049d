"""The index of an MP4 file, rewritten: when each frame is shown, a width and height that need not be even, and the shape of a pixel.

    set_times(path, [0.0, 0.1, 0.6], end=0.64, size=(121, 161))

OpenCV writes frames of even sizes, of square pixels, at one rate. MPEG-4 pads frames to blocks of 16 x 16 anyway, so that the odd size of a
frame that was padded by one pixel only has to be written where decoders look for it. Boxes are those of ISO/IEC 14496-12, sizes of
ISO/IEC 14496-2.
"""

import os
import struct
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import BinaryIO

from ainet.errors import OutputError

TICKS = 120_000  # a second: whole numbers of them are frames of 24, 25, 30, 50, 60, 1000 and 24,000/1001, 30,000/1001 a second
COARSE_TICKS = 1000  # for videos of over 9 hours, as durations have 32 bits
CONTAINERS = (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl")

Edit = Callable[[bytes], bytes]


def set_times(path: Path, times: Sequence[float], end: float, size: tuple[int, int], aspect: tuple[int, int] = (1, 1)) -> None:
    """Rewrite the index of an MP4 file as OpenCV writes it, at the end of the file and without B-frames.

    Args:
        times: in seconds, ascending from 0, when each frame is shown. end: when the last one goes.
        size: height and width of the frames; where they are odd, the frames in the file have one row or column more.
        aspect: width and height of a pixel as it is shown, in any unit.

    Raises:
        OutputError: it is not such a file.
    """
    ticks = TICKS if end * TICKS < 2**32 else COARSE_TICKS
    shown = [round(time * ticks) for time in (*times, end)]
    durations = [after - before for before, after in pairwise(shown)]
    height, width = size
    shown_width = min(round(width * aspect[0] / aspect[1] * 2**16), 2**32 - 1)  # in 65536ths of a pixel
    edits: dict[bytes, Edit] = {
        b"mvhd": lambda box: box[:12] + struct.pack(">II", ticks, shown[-1]) + box[20:],
        b"tkhd": lambda box: box[:20] + struct.pack(">I", shown[-1]) + box[24:76] + struct.pack(">II", shown_width, height << 16),
        b"mdhd": lambda box: box[:12] + struct.pack(">II", ticks, shown[-1]) + box[20:],
        b"elst": lambda box: box[:8] + struct.pack(">I", shown[-1]) + box[12:],
        b"stts": lambda box: box[:4] + _runs(durations),
        b"stsd": lambda box: _with_aspect(_with_size(box, height, width), aspect),
    }
    with path.open("r+b") as file:
        start = _index(file)
        index = file.read()
        file.seek(start)
        file.write(_rewritten(index, edits))


def _index(file: BinaryIO) -> int:
    """Go to the box "moov", which must be the last; its place."""
    end = file.seek(0, os.SEEK_END)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        if kind == b"moov" and start + size == end:
            return file.seek(start)
        start += max(size, 8)
    raise _unknown("no index at its end")


def _unknown(reason: str) -> OutputError:
    return OutputError(f"cannot set the times of the video: OpenCV has written an MP4 file of another kind, {reason}; use --format npy")


def _rewritten(data: bytes, edits: dict[bytes, Edit]) -> bytes:
    boxes = []
    start = 0
    while start < len(data):
        size, kind = struct.unpack_from(">I4s", data, start)
        content = data[start + 8 : start + size]
        if kind in CONTAINERS:
            content = _rewritten(content, edits)
        elif kind in edits:
            content = edits[kind](content)
        boxes.append(struct.pack(">I4s", 8 + len(content), kind) + content)
        start += size
    return b"".join(boxes)


def _runs(durations: Sequence[int]) -> bytes:
    """The table of durations: how many frames one after the other have which."""
    runs = [(len(list(same)), duration) for duration, same in groupby(durations)]
    return struct.pack(">I", len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)


def _with_size(box: bytes, height: int, width: int) -> bytes:
    """The description of the frames with another size: once for players, once among the bits of the codec's own header."""
    place = 8 + 8 + 24  # behind the number of entries, the head of the one there is, and what comes before its width
    coded_width, coded_height = struct.unpack_from(">HH", box, place)
    bits = f"{int.from_bytes(box, 'big'):0{8 * len(box)}b}"
    before, after = (f"1{columns:013b}1{rows:013b}1" for columns, rows in ((coded_width, coded_height), (width, height)))
    if bits.count(before) != 1:
        raise _unknown(f"no frames of {coded_height}x{coded_width} in MPEG-4")
    changed = int(bits.replace(before, after), 2).to_bytes(len(box), "big")
    return changed[:place] + struct.pack(">HH", width, height) + changed[place + 4 :]


def _with_aspect(box: bytes, aspect: tuple[int, int]) -> bytes:
    """The same with the shape of a pixel: a box "pasp" at the end of the one entry, whose size grows by it."""
    if aspect[0] == aspect[1]:
        return box
    (size,) = struct.unpack_from(">I", box, 8)
    pasp = struct.pack(">I4sII", 16, b"pasp", *aspect)
    return box[:8] + struct.pack(">I", size + len(pasp)) + box[12 : 8 + size] + pasp + box[8 + size :]
