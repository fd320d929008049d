"""What people have by mistake in place of the file that they mean: what it is, and how to get the right one."""

from pathlib import Path
from typing import BinaryIO

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
WEB_PAGE = (b"<!doctype html", b"<html")
HEAD = 512  # bytes that tell


def read_head(file: Path, data: BinaryIO | None = None) -> bytes:
    """The first bytes of a file, or of its content `data`.

    Raises:
        OSError: the file cannot be read.
    """
    if data is not None:
        data.seek(0)
        return data.read(HEAD)
    with file.open("rb") as stream:
        return stream.read(HEAD)


def looks_like_onnx(head: bytes) -> bool:
    """Whether a file begins as ONNX files do: with the number of their version, and one of the next fields."""
    return len(head) > 2 and head[0] == 0x08 and head[1] < 32 and head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)


def looks_like_video(head: bytes) -> bool:
    """Whether a file begins as MP4 and QuickTime, AVI, Matroska and WebM files do."""
    if head[4:8] == b"ftyp":  # as HEIC and AVIF images do too
        return head[8:11] in (b"iso", b"mp4", b"qt ", b"M4V", b"avc", b"3gp")
    return (head[:4] == b"RIFF" and head[8:12] == b"AVI ") or head.startswith(b"\x1aE\xdf\xa3")


def wrong_content(head: bytes) -> str | None:
    """The mistake and its mend, by the first `HEAD` bytes of a file; None where they look like none of these."""
    if not head:
        return "it is empty; fetch it again"
    if head.startswith(LFS_POINTER):
        return "it is a pointer of Git LFS in place of the file; fetch the file with: git lfs pull"
    if head.lstrip().lower().startswith(WEB_PAGE):
        return "it is a web page, such as one that asks to log in or to confirm a download; download the file itself"
    return None


def check_content(head: bytes, claim: str, error: type[Exception]) -> None:
    """Raise `error` for such a mistake: `claim`, such as "x.png is no label map", and which mistake it is."""
    mistake = wrong_content(head)
    if mistake is not None:
        raise error(f"{claim}: {mistake}")
