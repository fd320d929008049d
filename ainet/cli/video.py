"""Videos for `ainet segment`: label maps per frame, or a video with the outlines drawn in."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.cli.inputs import Input
from ainet.cli.job import Job
from ainet.cli.outputs import Format, result_path, write
from ainet.errors import ImageError, OutputError, UsageError
from ainet.files import atomic_folder, atomic_path
from ainet.regions import overlay

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent: our own error says what is wrong with a video
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def segment_video(job: Job, item: Input) -> str:
    """Segment every frame. Overlays become `NAME_overlay.mp4`; label maps the new folder `NAME`: `000000.npy` and so on.

    Raises:
        ImageError: no frame can be read.
        OutputError: a result cannot be written, or the folder is there already.
        UsageError: labelme, which opens no videos, is among the formats.
    """
    if Format.LABELME in job.formats:
        raise UsageError(f"{item.path} is a video, which labelme cannot open; cut it into images, or leave --format labelme out")
    frame_formats = [kind for kind in job.formats if kind is not Format.OVERLAY]
    count = 0
    with ExitStack() as stack:
        capture = cv2.VideoCapture(str(item.path), cv2.CAP_FFMPEG)  # other readers print what they think of a file
        stack.callback(capture.release)
        frames = _frames(capture)
        first = next(frames, None)
        if first is None:
            raise ImageError(f"no frame can be read from {item.path}: damaged, or a codec that OpenCV lacks; re-encode it as H.264 MP4")
        folder = stack.enter_context(atomic_folder(job.out / item.name)) if frame_formats else None
        movie = None
        if Format.OVERLAY in job.formats:
            path = job.out / item.name.with_name(f"{item.name.name}_overlay.mp4")
            movie = stack.enter_context(_movie(path, capture.get(cv2.CAP_PROP_FPS), first))
        for frame in itertools.chain([first], frames):
            if job.stop.is_set():
                raise ImageError(f"{item.path}: interrupted")
            labels = job.labels(frame, item.path)
            if folder is not None:
                for kind in frame_formats:
                    write(result_path(folder, Path(f"{count:06d}"), kind), kind, frame, labels, item.path)
            if movie is not None:
                movie.write(cv2.cvtColor(overlay(frame, labels), cv2.COLOR_RGB2BGR))
            count += 1
        announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))  # in some containers an estimate, so fewer frames are no error
    missing = f" of {announced} announced" if count < announced else ""
    return f"{count} frames{missing}; {job.plan(first)}"


def _frames(capture: cv2.VideoCapture) -> Iterator[NDArray[np.uint8]]:
    """RGB frames (H, W, 3) until the end."""
    while True:
        there, frame = capture.read()
        if not there:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]


@contextlib.contextmanager
def _movie(path: Path, fps: float, frame: NDArray[np.uint8]) -> Iterator[cv2.VideoWriter]:
    """Writer of a video of frames like `frame`, complete or not there."""
    with atomic_path(path) as temporary:
        movie = cv2.VideoWriter(
            str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), fps if 1 <= fps <= 240 else 25.0, (frame.shape[1], frame.shape[0])
        )
        if not movie.isOpened():
            raise OutputError(
                f"cannot write the video {path}: OpenCV cannot encode MPEG-4 here, or not frames of this size; use --format npy"
            )
        try:
            yield movie
        finally:
            movie.release()
        if not cv2.VideoCapture(str(temporary)).isOpened():  # OpenCV tells of no error while it writes
            raise OutputError(f"cannot write the video {path}: is the disk full?")
