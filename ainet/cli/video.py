"""Videos for `ainet segment`: label maps per frame, or a video with the outlines drawn in."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.cli.frame_folder import frame_folder
from ainet.cli.frame_times import ascending
from ainet.cli.inputs import Input
from ainet.cli.job import Job
from ainet.cli.mp4 import set_times
from ainet.cli.outputs import Format, result_path, write
from ainet.errors import ImageError, OutputError, UsageError
from ainet.files import atomic_path
from ainet.labels import MOVIE_ENDING
from ainet.regions import overlay
from ainet.results import MOVIE_END, check_replaceable
from ainet.wrong_content import check_content, read_head

DEFAULT_RATE = 25.0  # frames a second of videos that do not say
MAX_RATE = 1e5

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # silent: our own error says what is wrong with a video
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def segment_video(job: Job, item: Input) -> str:
    """Segment every frame. Overlays become `NAME_overlay.mp4`; label maps the folder `NAME`: `000000.npy` and so on.

    Raises:
        ImageError: no frame can be read.
        OutputError: a result cannot be written, or would replace an input or a folder of others.
        UsageError: labelme, which opens no videos, is among the formats, or there is a stretch or choice of bands; there is another's
            file in the place of the video.
    """
    if Format.LABELME in job.formats:
        raise UsageError(f"{item.path} is a video, which labelme cannot open; cut it into images, or leave --format labelme out")
    given = [f"--{name}" for name, value in job.reading.items() if value is not None]
    if given:
        raise UsageError(f"{item.path} is a video, whose frames are read as RGB of 8 bits: leave {' and '.join(given)} out for it")
    frame_formats = [kind for kind in job.formats if kind is not Format.OVERLAY]
    with ExitStack() as stack:
        video = _Video(item.path)
        stack.callback(video.close)
        folder = stack.enter_context(frame_folder(job, job.out / item.name, frame_formats)) if frame_formats else None
        movie = None
        if Format.OVERLAY in job.formats:
            path = job.checked(job.out / item.name.with_name(item.name.name + MOVIE_ENDING))
            check_replaceable(path)
            movie = stack.enter_context(_movie(path, video))
        for number, frame in enumerate(video):
            labels = job.labels(frame, item.path)
            if folder is not None:
                for kind in frame_formats:
                    write(result_path(folder, Path(f"{number:06d}"), kind), kind, frame, labels, item.path)
            if movie is not None:
                movie.write(overlay(frame, labels))
    missing = f" of {video.announced} announced" if len(video.times) < video.announced else ""
    return f"{len(video.times)} frames{missing}; {job.plan(video.first)}"


class _Video:
    """The RGB frames (H, W, 3) of a file, in one pass; OpenCV brings those of another size to the size of the first.

    times: in seconds, of the frames so far, as the file has them. aspect: width and height of a pixel as it is shown.
    """

    def __init__(self, path: Path) -> None:
        self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)  # other readers print what they think of a file
        self.times: list[float] = []
        first = self._next()
        if first is None:
            self.close()
            check_content(read_head(path), f"{path} is not a video", ImageError)
            raise ImageError(f"no frame can be read from {path}: damaged, or a codec that OpenCV lacks; re-encode it as H.264 MP4")
        self.first = first
        self.announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))  # in some containers an estimate, so fewer frames are no error
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate <= MAX_RATE else DEFAULT_RATE
        aspect = int(self._capture.get(cv2.CAP_PROP_SAR_NUM)), int(self._capture.get(cv2.CAP_PROP_SAR_DEN))
        self.aspect = aspect if min(aspect) > 0 else (1, 1)  # 0 where a file does not say

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        frame: NDArray[np.uint8] | None = self.first
        while frame is not None:
            yield frame
            frame = self._next()

    def schedule(self) -> tuple[list[float], float]:
        """When each frame is shown, from 0, and when the last one goes."""
        times = ascending(self.times, self.rate)
        return times, times[-1] + 1 / self.rate

    def close(self) -> None:
        self._capture.release()

    def _next(self) -> NDArray[np.uint8] | None:
        there, frame = self._capture.read()
        if not there:
            return None
        self.times.append(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


@dataclass
class _Writer:
    """Takes RGB frames; those of odd size are padded, as OpenCV would cut them."""

    movie: cv2.VideoWriter
    padding: tuple[int, int]  # rows and columns

    def write(self, frame: NDArray[np.uint8]) -> None:
        rows, columns = self.padding
        padded = cv2.copyMakeBorder(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), 0, rows, 0, columns, cv2.BORDER_REPLICATE)
        self.movie.write(padded)


@contextlib.contextmanager
def _movie(path: Path, video: _Video) -> Iterator[_Writer]:
    """Writer of a video with the size, times and pixels' shape of another, which names the toolkit; complete or not there."""
    height, width = video.first.shape[:2]
    rows, columns = height % 2, width % 2
    with atomic_path(path) as temporary:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        movie = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, code, DEFAULT_RATE, (width + columns, height + rows))
        if not movie.isOpened():
            raise OutputError(
                f"cannot write the video {path}: OpenCV cannot encode MPEG-4 here, or not frames of this size; use --format npy"
            )
        try:
            yield _Writer(movie, (rows, columns))
        finally:
            movie.release()
        if not cv2.VideoCapture(str(temporary)).isOpened():  # OpenCV tells of no error while it writes
            raise OutputError(f"cannot write the video {path}: is the disk full?")
        set_times(temporary, *video.schedule(), (height, width), video.aspect)
        with temporary.open("ab") as file:
            file.write(MOVIE_END)
