"""Ground truths in MATLAB files: as scipy reads them, and damaged in every way that a size can be wrong."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import loadmat, savemat

from ainet.mat_file import read_segmentations

LABELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
HEAD = b"MATLAB 5.0 MAT-file".ljust(124)


def written_by_scipy(*maps: NDArray[np.generic], compressed: bool = False) -> bytes:
    cell = np.empty((1, len(maps)), object)
    for number, labels in enumerate(maps):
        cell[0, number] = {"Boundaries": labels > 3, "Segmentation": labels}
    file = BytesIO()
    savemat(file, {"before": np.ones(3), "groundTruth": cell}, do_compression=compressed)
    return file.getvalue()


def element(kind: int, data: bytes, order: str = "<", size: int | None = None) -> bytes:
    """`size` in place of the right one."""
    return struct.pack(order + "II", kind, len(data) if size is None else size) + data + bytes(-len(data) % 8)


def matrix(kind: int, shape: tuple[int, ...], name: bytes, *rest: bytes, order: str = "<", flags: int = 0) -> bytes:
    head = element(6, struct.pack(order + "II", kind | flags, 0), order)
    head += element(5, struct.pack(f"{order}{len(shape)}i", *shape), order) + element(1, name, order)
    return element(14, head + b"".join(rest), order)


def numbers(kind: int = 11, shape: tuple[int, ...] = (3, 4), stored: int = 4, data: bytes = LABELS.tobytes("F"), flags: int = 0) -> bytes:
    return matrix(kind, shape, b"", element(stored, data), flags=flags)


def annotation(field: bytes, names: bytes = b"Segmentation\0", length: int = 13, kind: int = 2) -> bytes:
    return matrix(kind, (1, 1), b"", element(5, struct.pack("<i", length)), element(1, names), field)


def truth(*annotations: bytes, shape: tuple[int, ...] | None = None, kind: int = 1, name: bytes = b"groundTruth") -> bytes:
    return HEAD + b"\x00\x01IM" + matrix(kind, shape or (1, len(annotations)), name, *annotations)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.float64])
def test_what_scipy_writes(compressed: bool, dtype: type[np.generic]) -> None:
    maps = [LABELS.astype(dtype), LABELS[::-1, :2].astype(dtype)]
    found = read_segmentations(written_by_scipy(*maps, compressed=compressed))
    assert [labels.dtype for labels in found] == [dtype, dtype]
    for labels, expected in zip(found, maps, strict=True):
        np.testing.assert_array_equal(labels, expected)


def test_other_byte_order_and_smaller_numbers() -> None:
    """MATLAB stores integers in the smallest type that takes them."""
    small = matrix(11, (3, 4), b"", element(2, LABELS.astype(np.uint8).tobytes("F"), ">"), order=">")
    names = (element(5, struct.pack(">i", 13), ">"), element(1, b"Segmentation\0", ">"))
    cell = matrix(1, (1, 1), b"groundTruth", matrix(2, (1, 1), b"", *names, small, order=">"), order=">")
    (labels,) = read_segmentations(HEAD + b"\x01\x00MI" + cell)
    assert labels.dtype == np.uint16
    np.testing.assert_array_equal(labels, LABELS)


def test_all_of_bsds500_as_scipy_reads_it(shared: Path) -> None:
    files = sorted((shared / "bsds500/groundTruth").glob("*/*.mat"))[::10]
    assert files
    for file in files:
        expected = [annotation["Segmentation"][0, 0] for annotation in loadmat(file)["groundTruth"][0]]
        for labels, of_scipy in zip(read_segmentations(file.read_bytes()), expected, strict=True):
            assert labels.dtype == of_scipy.dtype
            np.testing.assert_array_equal(labels, of_scipy)


GOOD = annotation(numbers())
HUGE = 2**32 - 8


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no MATLAB file of version 5"),
        (b"MATLAB 7.3 MAT-file".ljust(126) + b"IM", "save it with the option '-v7'"),
        (HEAD + b"\x00\x01IM", "no variable 'groundTruth'"),
        (truth(GOOD, name=b"other"), "no variable 'groundTruth'"),
        (truth(GOOD, kind=2), "is no cell array"),
        (truth(GOOD, shape=(1, 2)), "not the 2 parts"),
        (truth(GOOD, GOOD, shape=(1, 1)), "not the 1 parts"),
        (truth(GOOD, shape=(2**31 - 1, 2**31 - 1)), "announces 4611686014132420609 parts"),
        (truth(GOOD, shape=(-1, -1)), r"shape \(-1, -1\)"),
        (truth(GOOD, shape=(1,)), r"shape \(1,\)"),
        (truth(GOOD, shape=(1,) * 2000), "without its head"),
        (truth(element(15, b"")), "type 15 instead of a matrix"),
        (truth(element(14, b"")), "without its head"),
        (truth(annotation(numbers(), kind=3)), "is no struct"),
        (truth(annotation(numbers(), length=0)), "names of 0 bytes"),
        (truth(annotation(numbers(), length=5)), "names of 5 bytes"),
        (truth(annotation(numbers(), length=1)), "not the 13 parts"),
        (truth(annotation(numbers(), b"Boundaries\0\0\0")), "without the field 'Segmentation'"),
        (truth(annotation(numbers(kind=5))), "class 5"),
        (truth(annotation(numbers(shape=(3, 2, 2)))), r"\(3, 2, 2\), no array"),
        (truth(annotation(numbers(shape=(3, 5)))), r"24 bytes for an array of shape \(3, 5\)"),
        (truth(annotation(numbers(shape=(65536, 65536)))), "24 bytes for an array"),
        (truth(annotation(numbers(stored=6))), "24 bytes for an array"),
        (truth(annotation(numbers(stored=3))), "int16 where u2 is announced"),
        (truth(annotation(numbers(stored=99))), "unknown type 99"),
        (truth(annotation(numbers(flags=0x800))), "complex"),
        (truth(GOOD)[:-1], "where"),
        (truth(GOOD)[:133], "unpack_from"),
        (HEAD + b"\x00\x01IM" + element(14, b"", size=HUGE), f"a part of {HUGE} bytes where 0 are left"),
        (HEAD + b"\x00\x01IM" + struct.pack("<HHI", 14, 8, 0), "a part of 8 bytes where 4 are left"),
        (HEAD + b"\x00\x01IM" + element(15, zlib.compress(GOOD)[:-9]), "cut off"),
        (HEAD + b"\x00\x01IM" + element(15, zlib.compress(b"")), "type 0 instead of a matrix"),
        (HEAD + b"\x00\x01IM" + element(15, b"no zlib"), "decompressing"),
    ],
)
def test_damage(content: bytes, message: str) -> None:
    with pytest.raises((ValueError, struct.error, zlib.error), match=message):
        read_segmentations(content)


def test_parts_that_unpack_to_too_much_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first takes exactly what there is, and nothing is left for the second."""
    other = matrix(9, (1, 400), b"other", element(2, bytes(400)))
    monkeypatch.setattr("ainet.mat_file.MAX_BYTES", len(other))
    packed = [zlib.compress(part) for part in (other, bytes(2**16))]
    content = HEAD + b"\x00\x01IM" + b"".join(struct.pack("<II", 15, len(part)) + part for part in packed)  # which are not padded
    assert len(content) < len(other)
    with pytest.raises(ValueError, match=f"more than {len(other)} bytes when unpacked"):
        read_segmentations(content)


def test_what_unpacks_to_too_much_is_not_unpacked() -> None:
    packer = zlib.compressobj(9)
    zeros = bytes(2**20)
    packed = b"".join(packer.compress(zeros) for _ in range(300)) + packer.flush()
    with pytest.raises(ValueError, match="more than 268435456 bytes when unpacked"):
        read_segmentations(HEAD + b"\x00\x01IM" + element(15, packed))
