"""Label maps on disk: what writes and reads them, for every command.

    write_labels("photo.npy", labels)
    labels = read_labels("photo.npy")  # (H, W) int32

| suffix | content |
|---|---|
| .npy | a 2-D integer array |
| .csv | a line per row of pixels, comma separated integers: what superpixel-benchmark reads |
| .png | grey of 8 or 16 bits, palette indices, or one colour per region; written with 16 bits |
| .mat | a ground truth of BSDS500, several label maps: `read_bsds_truths` |

Ids lie in [0, 2**31); they may have gaps.
"""

import os
import struct
import zlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.arrays import checked_labels, ids_outside
from ainet.decoding import MAX_DECODED_PIXELS, check_size
from ainet.deep_files import loses_depth
from ainet.errors import AINetError, ImageError, UsageError
from ainet.files import atomic_path, is_folder, path_text
from ainet.image_files import open_image, turned_upright
from ainet.mat_file import MAX_BYTES as MAX_MAT_BYTES
from ainet.mat_file import read_segmentations
from ainet.wrong_content import HEAD, check_content, read_head

ENDINGS = {"npy": ".npy", "csv": ".csv", "png16": "_labels.png"}  # behind an image's name, by the format of `ainet segment`
OVERLAY_ENDING, MOVIE_ENDING = "_overlay.png", "_overlay.mp4"  # the picture or video that it writes beside them
MAX_PNG_SIZE = 1_000_000  # height or width that libpng takes
INSTEAD = "use --format npy (a job with --ray needs PNG in any case)"  # of a PNG that cannot be

# --- one file -------------------------------------------------------------------------------------------------------------------------


def read_labels(path: str | os.PathLike[str]) -> NDArray[np.int32]:
    """Read a label map (H, W) from a .npy, .csv or .png file.

    Raises:
        ImageError: the file is missing, damaged or no label map; ids outside [0, 2**31); a PNG over 67 megapixels.
    """
    file = Path(path_text(path))
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ImageError(f"{file} is no label map: known are {', '.join(sorted(_READERS))}; save it as one of them")
    try:
        check_content(read_head(file), f"{file} is no label map", ImageError)
        labels = reader(file)
    except AINetError:
        raise
    except OSError as error:
        raise ImageError(f"cannot read {file}: {error.strerror or error}; check the path") from error
    except Exception as error:  # numpy's parsers raise whatever they meet in damaged content, MemoryError and SyntaxError included
        raise ImageError(f"{file} is no label map, or damaged ({type(error).__name__}: {error}); write it again") from error
    return _checked(labels, str(file))


def write_labels(path: str | os.PathLike[str], labels: Any) -> None:
    """Write a label map, (H, W) integers, as .npy, .csv or 16-bit .png, by the suffix of `path`; the file is whole or not there.

    Raises:
        UsageError: another suffix, or no such array, or one of `numpy.ma` that hides some of its values; ids outside [0, 2**31).
        ImageError: as PNG, what does not fit into one: see `png16`.
        OutputError: the file cannot be written.
    """
    file = Path(path_text(path))
    writer = _WRITERS.get(file.suffix.lower())
    if writer is None:
        raise UsageError(f"cannot write labels to {file}: name a file that ends in {', '.join(sorted(_WRITERS))}")
    array = checked_labels(labels)
    if outside := ids_outside(array):
        raise UsageError(f"cannot write {file}: {outside}")
    writer(file, array)


def png16(labels: NDArray[np.integer[Any]], name: object) -> bytes:
    """Labels (H, W) as the content of a PNG file, grey of 16 bits; errors call them `name`.

    Raises:
        ImageError: ids above 65,535, over 67 megapixels, or a height or width over 1,000,000.
    """
    height, width = labels.shape
    if labels.max() > np.iinfo(np.uint16).max:
        raise ImageError(f"{name}: ids up to {int(labels.max())} do not fit into 16 bits; ask for fewer, or {INSTEAD}")
    check_png_size(name, height, width)
    if labels.size > MAX_DECODED_PIXELS:  # which could not be read again
        raise ImageError(f"{name}: {height}x{width} labels are too many for a PNG; {INSTEAD}")
    return cv2.imencode(".png", labels.astype(np.uint16))[1].tobytes()


def check_png_size(name: object, height: int, width: int) -> None:
    """Raise `ImageError` where a picture of this size is no PNG that can be written; it is called `name`."""
    if max(height, width) > MAX_PNG_SIZE:
        raise ImageError(f"{name}: {height}x{width} is too large for a PNG; {INSTEAD}")


def check_same_size(labels: NDArray[np.integer[Any]], source: object, size: Sequence[int]) -> None:
    """Raise `ImageError` where the label map `source` is not of its image's (height, width)."""
    if labels.shape != tuple(size):
        raise ImageError(f"{source} is {labels.shape}, its image is {tuple(size)} (height, width); they do not belong together")


def read_bsds_truths(path: str | os.PathLike[str]) -> list[NDArray[np.int32]]:
    """Read a ground truth of BSDS500: one label map (H, W) per annotation, with the ids that are in the file (from 1).

    Raises:
        ImageError: the .mat file is missing, damaged, of another kind, or without an annotation.
    """
    file = Path(path_text(path))
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_MAT_BYTES + 1)
        check_content(content[:HEAD], f"{path} is not a BSDS500 ground truth", ImageError)
        maps = [_whole(labels) for labels in read_segmentations(content)]  # MATLAB's own numbers are floats
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror or error}; check the path") from error
    except (ValueError, struct.error, zlib.error) as error:
        raise ImageError(f"{path} is not a BSDS500 ground truth: {error}; if it was one, it is damaged: fetch it again") from error
    if not maps:
        raise ImageError(f"{path} holds no annotation; fetch it again")
    return [_checked(labels, f"annotation {number} of {path}") for number, labels in enumerate(maps)]


# --- a folder of them -----------------------------------------------------------------------------------------------------------------


def find_labels(folder: str | os.PathLike[str], images: Collection[str]) -> dict[str, list[Path]]:
    """The label maps in a folder by the name of their image, sorted.

    NAME.npy, NAME.csv, NAME.png and NAME_labels.png, as `ainet segment` writes them, belong to the image NAME; so do NAME-0.npy, NAME-1.npy
    and so on, several annotations of one image. Its overlays are left out. `images`: the names of the images, which may themselves look
    like that; a file of none of them is listed under its own name.

    Raises:
        UsageError: there is no such folder, or it cannot be read; two files are the same label map of one image.
    """
    folder = Path(folder)
    if not is_folder(folder):
        raise UsageError(f"no folder {folder}; name the folder of label maps")
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"cannot read the folder {folder}: {error.strerror}; check its permissions") from error
    visible = [path for path in paths if not path.name.startswith(".")]  # macOS puts ._NAME beside NAME
    label_maps = [path for path in visible if path.suffix.lower() in _READERS]
    found: dict[tuple[str, str], Path] = {}
    for path in label_maps:
        if path.name.endswith(OVERLAY_ENDING):
            continue
        other = found.setdefault(_owner(path.stem, images), path)
        if other != path:
            raise UsageError(f"{folder} has {other.name} and {path.name} for one image; keep one of them")
    by_image: dict[str, list[Path]] = {}
    for (image, _), path in found.items():
        by_image.setdefault(image, []).append(path)
    return by_image


def _owner(stem: str, images: Collection[str]) -> tuple[str, str]:
    """The image that a file of this name belongs to, and the number of the annotation, or ""."""
    if stem not in images:
        stem = stem.removesuffix("_labels")
    name, _, number = stem.rpartition("-")
    if stem not in images and name and number.isdigit():
        return name, number
    return stem, ""


# --- the formats ----------------------------------------------------------------------------------------------------------------------


def _read_npy(file: Path) -> NDArray[Any]:
    array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ValueError("it is an archive of arrays")
    return array


def _read_csv(file: Path) -> NDArray[Any]:
    with file.open(encoding="ascii") as lines:
        if not any(line.strip() for line in lines):  # numpy would but warn
            raise ValueError("it is empty")
        lines.seek(0)
        values = np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)  # float64: as integers, numpy 1 would cut off fractions
    return _whole(values)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers that are floats as integers, others as they are."""
    if values.dtype.kind != "f":
        return values
    with np.errstate(invalid="ignore"):
        ids = values.astype(np.int64)
    if not np.array_equal(ids, values):
        raise ValueError("not all values are whole numbers")
    return ids


def _read_png(file: Path) -> NDArray[Any]:
    with open_image(file, formats=["PNG"]) as image:
        if getattr(image, "n_frames", 1) > 1:
            raise ImageError(f"{file} is an animation; save each frame as a label map of its own")
        if image.mode.startswith("RGB") and loses_depth(image):
            raise ImageError(f"{file} has colours of 16 bits per channel; save the ids as grey of 16 bits")
        values = np.array(turned_upright(image))
    if values.ndim == 2:
        return values.astype(np.int32)
    if values.shape[2] < 3:  # grey with alpha
        return values[:, :, 0].astype(np.int32)
    red, green, blue = np.moveaxis(values[:, :, :3].astype(np.int32), 2, 0)
    return red << 16 | green << 8 | blue


def _write_npy(file: Path, labels: NDArray[np.integer[Any]]) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, labels)


def _write_csv(file: Path, labels: NDArray[np.integer[Any]]) -> None:
    with atomic_path(file) as temporary:
        np.savetxt(temporary, labels, fmt="%d", delimiter=",")


def _write_png(file: Path, labels: NDArray[np.integer[Any]]) -> None:
    content = png16(labels, f"cannot write {file}")
    with atomic_path(file) as temporary:
        temporary.write_bytes(content)


_READERS: dict[str, Callable[[Path], NDArray[Any]]] = {".npy": _read_npy, ".csv": _read_csv, ".png": _read_png}
_WRITERS: dict[str, Callable[[Path, NDArray[np.integer[Any]]], None]] = {".npy": _write_npy, ".csv": _write_csv, ".png": _write_png}


def _checked(labels: NDArray[Any], source: str) -> NDArray[np.int32]:
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise ImageError(f"{source} holds {labels.dtype} of shape {labels.shape}; a label map is a 2-D array of integers, not empty")
    height, width = labels.shape
    check_size(height, width, source)
    if outside := ids_outside(labels):
        raise ImageError(f"{source} has {outside}")
    return labels.astype(np.int32, copy=False)
