"""Results of `ainet segment` that lie there already: told from the files of others, which it never replaces.

Pictures, videos and JSON files name the toolkit. Label maps have no place for a name, but are numbered as no others are: from 0, in order
of first appearance, each label one 4-connected region; in .npy files as int32, in .png files with 16 bits.
"""

import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import AINetError, UsageError
from ainet.files import is_file
from ainet.labels import MOVIE_ENDING, OVERLAY_ENDING, read_labels
from ainet.runtime.postprocess import enforce_connectivity
from ainet.wrong_content import read_head

NAME = "ainet-toolkit"
PNG_TEXT = b"Software\0" + NAME.encode()  # keyword and text of a chunk tEXt
PNG_HEADER = 33  # bytes, the signature and the chunk IHDR
MOVIE_END = struct.pack(">I4s", 8 + len(NAME), b"free") + NAME.encode()  # a box of MP4 files that players skip
JSON_START = f'{{"generator":"{NAME}"'.encode()


def picture_png(picture: NDArray[np.uint8]) -> bytes:
    """RGB (H, W, 3) as the content of a PNG file that names the toolkit."""
    png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    chunk = b"tEXt" + PNG_TEXT
    return png[:PNG_HEADER] + struct.pack(">I", len(PNG_TEXT)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[PNG_HEADER:]


def compact_json(content: Mapping[str, Any]) -> str:
    """An object as JSON on one line, which names the toolkit first; programs that change the file write it otherwise."""
    return json.dumps({"generator": NAME, **content}, separators=(",", ":"))


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` where another's file is in the place of a result."""
    file = Path(path)
    if is_file(file) and not _is_result(file):
        raise UsageError(f"cannot write {file}: the file there is no result of ainet segment; move it, or choose another output folder")


def _is_result(file: Path) -> bool:
    try:
        head = read_head(file)
        if file.name.endswith(OVERLAY_ENDING):
            return PNG_TEXT in head
        if file.name.endswith(MOVIE_ENDING):
            return _ends_with(file, MOVIE_END)
        if file.suffix in (".json", ".geojson"):
            return head.startswith(JSON_START)
        if file.suffix == ".npy" and b"'<i4'" not in head:
            return False
        if file.suffix == ".png" and head[24:26] != b"\x10\0":  # bits, and that it is grey
            return False
        return _is_numbered_as_results_are(read_labels(file))
    except (OSError, AINetError):
        return False


def _ends_with(file: Path, end: bytes) -> bool:
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - len(end)))
        return stream.read() == end


def _is_numbered_as_results_are(labels: NDArray[np.int32]) -> bool:
    largest_so_far = np.maximum.accumulate(labels.ravel())
    in_order = largest_so_far[0] == 0 and bool((np.diff(largest_so_far) <= 1).all())
    return in_order and bool(enforce_connectivity(labels, 1, 2**31).max() == labels.max())
