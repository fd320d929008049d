"""Label maps from MATLAB files of version 5, in the layout of BSDS500's ground truths.

    maps = read_segmentations(content)  # the file's bytes -> arrays (H, W), one per annotation

The variable `groundTruth` is a cell array with a struct for each annotation, whose field `Segmentation` is a label map. A reader of
its own, because that of scipy ends the interpreter on some damaged files: here every size is checked before it is used.
Format: "MAT-File Format", The MathWorks; https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 2**28  # of a file, packed or unpacked; those of BSDS500 have 4 megabytes
MAX_PARTS = 1000  # annotations of an image, fields of a struct
MAX_HEAD = 4096  # bytes of a shape or a name
HEADER_SIZE = 128

# Types of elements. The data of one are numbers of the given type, or other elements.
INT8, INT32, UINT32, MATRIX, COMPRESSED = 1, 5, 6, 14, 15
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
# Classes of matrices. Those of numbers may be stored in a smaller type than their own.
CELL, STRUCT = 1, 2
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x800

Element = tuple[int, memoryview]  # its type and data


@dataclass(frozen=True)
class _Matrix:
    """The head of a matrix, and the elements after it."""

    kind: int
    shape: tuple[int, ...]
    name: bytes
    rest: Iterator[Element]

    def parts(self, count: int) -> list[Element]:
        """The elements that are left, exactly `count`."""
        if count > MAX_PARTS:
            raise ValueError(f"it announces {count} parts")
        parts = list(islice(self.rest, count + 1))
        if len(parts) != count:
            raise ValueError(f"not the {count} parts that it announces")
        return parts


def read_segmentations(content: bytes) -> list[NDArray[Any]]:
    """The label maps in the bytes of a file, as they are: two axes, in the type of numbers that MATLAB names.

    Raises:
        ValueError, struct.error, zlib.error: the content is damaged, or of another kind.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or content.startswith(b"MATLAB 7.3"):
        raise ValueError("no MATLAB file of version 5; save it with the option '-v7'")
    left = MAX_BYTES
    for kind, data in _elements(memoryview(content)[HEADER_SIZE:], order):
        if kind == COMPRESSED:
            unpacked = _inflated(data, left)
            left -= len(unpacked)
            kind, data = next(_elements(unpacked, order), (0, unpacked))
        variable = _matrix((kind, data), order)
        if variable.name == b"groundTruth":
            return [_segmentation(_matrix(cell, order), order) for cell in _cells(variable)]
    raise ValueError("it holds no variable 'groundTruth'")


def _elements(data: memoryview, order: str) -> Iterator[Element]:
    """Each is a tag of 8 bytes, type and size, and data, padded to 8 bytes; of up to 4 bytes, they may stand in the tag."""
    start = 0
    while start < len(data):
        kind, size = struct.unpack_from(order + "II", data, start)
        begin = start + 8
        if kind >> 16:
            kind, size, begin = kind & 0xFFFF, kind >> 16, start + 4
        left = 4 if begin == start + 4 else len(data) - begin
        if size > left:
            raise ValueError(f"a part of {size} bytes where {left} are left")
        yield kind, data[begin : begin + size]
        start = max(start + 8, begin + size)
        if kind != COMPRESSED:
            start += -start % 8


def _inflated(data: memoryview, limit: int) -> memoryview:
    stream = zlib.decompressobj()
    unpacked = stream.decompress(data, limit) if limit > 0 else b""  # zlib takes a limit of 0 as none
    if not stream.eof:
        raise ValueError(f"cut off, or more than {MAX_BYTES} bytes when unpacked")
    return memoryview(unpacked)


def _matrix(element: Element, order: str) -> _Matrix:
    kind, data = element
    if kind != MATRIX:
        raise ValueError(f"a part of type {kind} instead of a matrix")
    rest = _elements(data, order)
    flags, _ = _integers(next(rest, None), UINT32, order)
    shape = tuple(_integers(next(rest, None), INT32, order))
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"a matrix of shape {shape}")
    if flags & COMPLEX:
        raise ValueError("a matrix of complex numbers")
    return _Matrix(flags & 0xFF, shape, _bytes(next(rest, None)), rest)


def _cells(variable: _Matrix) -> list[Element]:
    if variable.kind != CELL:
        raise ValueError("'groundTruth' is no cell array")
    return variable.parts(math.prod(variable.shape))


def _segmentation(annotation: _Matrix, order: str) -> NDArray[Any]:
    """The field of that name of a struct: the length of all names, the names one after the other, and the fields."""
    if annotation.kind != STRUCT or math.prod(annotation.shape) != 1:
        raise ValueError("an annotation is no struct")
    (length,) = _integers(next(annotation.rest, None), INT32, order)
    names = _bytes(next(annotation.rest, None))
    if length < 1 or len(names) % length:
        raise ValueError(f"names of {length} bytes")
    fields = annotation.parts(len(names) // length)
    for number, field in enumerate(fields):
        if names[number * length :][:length].partition(b"\0")[0] == b"Segmentation":
            return _numbers(_matrix(field, order), order)
    raise ValueError("an annotation without the field 'Segmentation'")


def _numbers(matrix: _Matrix, order: str) -> NDArray[Any]:
    if matrix.kind not in CLASSES or len(matrix.shape) != 2:
        raise ValueError(f"'Segmentation' is of class {matrix.kind} and shape {matrix.shape}, no array of numbers with two axes")
    ((kind, data),) = matrix.parts(1)
    if kind not in NUMBERS:
        raise ValueError(f"numbers of the unknown type {kind}")
    stored = np.dtype(order + NUMBERS[kind])
    if len(data) != math.prod(matrix.shape) * stored.itemsize:
        raise ValueError(f"{len(data)} bytes for an array of shape {matrix.shape}")
    values = np.frombuffer(data, stored).reshape(matrix.shape, order="F")
    if not np.can_cast(stored, CLASSES[matrix.kind]):
        raise ValueError(f"{stored} where {CLASSES[matrix.kind]} is announced")
    return np.ascontiguousarray(values, CLASSES[matrix.kind])


def _integers(element: Element | None, kind: int, order: str) -> list[int]:
    """The numbers of an element of this type."""
    if element is None or element[0] != kind or len(element[1]) % 4 or len(element[1]) > MAX_HEAD:
        raise ValueError("a matrix without its head")
    return np.frombuffer(element[1], np.dtype(order + NUMBERS[kind])).tolist()


def _bytes(element: Element | None) -> bytes:
    if element is None or element[0] != INT8 or len(element[1]) > MAX_HEAD:
        raise ValueError("a matrix or field without a name")
    return bytes(element[1])
