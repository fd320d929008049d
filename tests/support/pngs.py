"""Parts of PNG files, whole and wrong."""

import struct
import zlib


def png_chunk(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """A chunk; `length` in place of the right one."""
    size = len(content) if length is None else length
    return struct.pack(">I", size) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int, bits: int = 8, colours: int = 2) -> bytes:
    """The beginning of a file of that size, by default in RGB of 8 bits, and of its data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"\x00\x00\x10\x00IDAT"
