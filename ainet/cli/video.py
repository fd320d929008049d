"""Videos for `ainet segment`: label maps per frame, or a video with the outlines drawn in."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.cli.outputs import Format, result_path, write
from ainet.errors import ImageError, OutputError
from ainet.files import atomic_path
from ainet.regions import overlay

if TYPE_CHECKING:
    from ainet.cli.inputs import Input
    from ainet.cli.segment import _Work


def segment_video(work: "_Work", item: "Input") -> str:
    """Segment every frame. Overlays become `NAME_overlay.mp4`; label maps `NAME/000000.npy` and so on.

    Raises:
        ImageError: no frame can be read.
        OutputError: a result cannot be written.
    """
    frame_formats = [kind for kind in work.formats if kind is not Format.OVERLAY]
    folder = work.out / item.name
    count = 0
    with ExitStack() as stack:
        capture = cv2.VideoCapture(str(item.path))
        stack.callback(capture.release)
        frames = _frames(capture)
        first = next(frames, None)
        if first is None:
            raise ImageError(f"no frame can be read from {item.path}: damaged, or a codec that OpenCV lacks; re-encode it as H.264 MP4")
        movie = None
        if Format.OVERLAY in work.formats:
            target = stack.enter_context(atomic_path(work.out / item.name.with_name(f"{item.name.name}_overlay.mp4")))
            movie = _writer(target, capture.get(cv2.CAP_PROP_FPS), first)
            stack.callback(movie.release)
        partial = _partial_folder(folder, stack) if frame_formats else folder
        for frame in _chain(first, frames):
            if work.stop.is_set():
                raise ImageError(f"{item.path}: interrupted")
            labels = work.segmenter(frame, **work.options)  # type: ignore[arg-type]
            for kind in frame_formats:
                write(result_path(partial, Path(f"{count:06d}"), kind), kind, frame, labels)
            if movie is not None:
                movie.write(cv2.cvtColor(overlay(frame, labels), cv2.COLOR_RGB2BGR))
            count += 1
        if frame_formats:
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    return f"{count} frames; {work.segmenter.plan(*first.shape[:2], **work.options)}"  # type: ignore[arg-type]


def _frames(capture: cv2.VideoCapture) -> Iterator[NDArray[np.uint8]]:
    """RGB frames (H, W, 3) until the end."""
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]


def _chain(first: NDArray[np.uint8], rest: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    yield first
    yield from rest


def _writer(path: Path, fps: float, frame: NDArray[np.uint8]) -> cv2.VideoWriter:
    movie = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps or 25.0, (frame.shape[1], frame.shape[0]))
    if not movie.isOpened():
        raise OutputError(f"cannot write the video {path.name}: OpenCV has no MPEG-4 encoder here; use --format npy")
    return movie


def _partial_folder(folder: Path, stack: ExitStack) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}; choose another place") from error
    stack.callback(shutil.rmtree, partial, ignore_errors=True)
    return partial
