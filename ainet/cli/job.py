"""What `ainet segment` does to every input, as its options say."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.cli.inputs import Input, overwrites
from ainet.cli.outputs import Format, result_path, write
from ainet.errors import NO_MEMORY, AINetError, ImageError, OutputError
from ainet.results import check_replaceable
from ainet.runtime.plan import Plan
from ainet.segmenter import Segmenter


@dataclass(frozen=True)
class Job:
    """A model, its options, and the kinds of results, below the folder `out`.

    options: `n_segments`, `scale`, `protocol`, `quality` and `compact`, as for a call of the segmenter. reading: `stretch` and `bands`, as
    for `read_image`. inputs: none of which a result may replace. turns: for how many images are segmented at a time, while others are read
    and written. stop: set when nothing more is wanted.
    """

    segmenter: Segmenter
    options: dict[str, Any]
    reading: dict[str, Any]
    out: Path
    formats: Sequence[Format]
    inputs: Sequence[Input]
    turns: threading.Semaphore = field(default_factory=threading.Semaphore)
    stop: threading.Event = field(default_factory=threading.Event)

    @cached_property
    def _sources(self) -> frozenset[Path]:
        return frozenset(item.path.resolve() for item in self.inputs)

    @cached_property
    def _names(self) -> dict[Path, Path]:
        return {item.name: item.path for item in self.inputs}

    def labels(self, image: NDArray[np.uint8], source: Path) -> NDArray[np.int32]:
        """Segment an image when it is its turn; errors name the file `source`."""
        try:
            with self.turns:
                if self.stop.is_set():
                    raise ImageError("interrupted")
                return self.segmenter(image, **self.options)
        except AINetError as error:
            raise type(error)(f"{source}: {error}") from error
        except MemoryError as error:
            raise ImageError(f"{source}: {NO_MEMORY}") from error

    def plan(self, image: NDArray[np.uint8]) -> Plan:
        """The sizes that the image ran at."""
        return self.segmenter.plan(*image.shape[:2], **self.options)

    def page_name(self, item: Input, ending: str) -> Path:
        """The name of a page's results; `ending`: "" of the only page.

        Raises:
            UsageError: it is another input's.
        """
        name = item.name.with_name(item.name.name + ending)
        if ending and name in self._names:
            raise overwrites(item.path, self._names[name])
        return name

    def write(self, item: Input, name: Path, image: NDArray[np.uint8], labels: NDArray[np.int32]) -> None:
        """Write all results of an input under `name`.

        Raises:
            UsageError: there is another's file in the place of one of them.
        """
        paths = {kind: self.checked(result_path(self.out, name, kind)) for kind in self.formats}
        for path in paths.values():
            check_replaceable(path)
        problems: list[AINetError] = []
        for kind, path in paths.items():  # one that cannot be written does not keep the others back
            try:
                write(path, kind, image, labels, item.path)
            except AINetError as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def checked(self, path: Path) -> Path:
        """The path of a result.

        Raises:
            OutputError: it is an input's.
        """
        if self.is_input(path):
            raise OutputError(f"cannot write {path}: it is one of the inputs; choose another output folder")
        return path

    def is_input(self, path: Path) -> bool:
        """Whether the file is one of the inputs."""
        return path.resolve() in self._sources
