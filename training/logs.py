"""TensorBoard's event files, written where they stand: its own writer does that in a thread, whose errors reach nobody."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from ainet.errors import OutputError


class EventLog:
    """Scalars over iterations, in a new file of the folder. A context manager.

    start: entries of earlier files from this iteration on are void, as a run that was stopped repeats it.

    Raises:
        OutputError: the file cannot be written; so do its methods.
    """

    def __init__(self, folder: Path, start: int) -> None:
        name = f"events.out.tfevents.{time.time_ns() // 10**9:010d}.{socket.gethostname()}.{os.getpid()}.{time.time_ns() % 10**9:09d}"
        self._path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise self._refused(error) from error
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=start, session_log=SessionLog(status=SessionLog.START)))

    def add(self, group: str, figures: Mapping[str, float], iteration: int) -> None:
        """Each figure under the tag "group/name"."""
        values = [Summary.Value(tag=f"{group}/{name}", simple_value=value) for name, value in figures.items()]
        self._write(Event(step=iteration, summary=Summary(value=values)))

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        try:
            self._records.write(event.SerializeToString())
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {self._path}: {error.strerror or error}; the last checkpoint is kept")
