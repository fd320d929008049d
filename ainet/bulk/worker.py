"""What a worker of a job does: one part -> one Parquet file of rows.

| column | of each image |
|---|---|
| name | of the image, without suffix |
| error | what was wrong with it; null where it was segmented, and then the others are set |
| height, width | in pixels |
| labels | the label map, 0..K-1, as a PNG of 16 bits |
| area, centroid, bbox, mean_colour | of its K regions, as of `ainet.region_table`: the n-th is of label n |
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from ainet.bulk.parts import Part
from ainet.errors import NO_MEMORY, AINetError
from ainet.files import atomic_path
from ainet.images import read_content, read_image
from ainet.labels import ENDINGS, png16, write_labels
from ainet.regions import region_table
from ainet.results import check_replaceable
from ainet.segmenter import Segmenter

SCHEMA = pyarrow.schema([
    ("name", pyarrow.string()),
    ("error", pyarrow.string()),
    ("height", pyarrow.int32()),
    ("width", pyarrow.int32()),
    ("labels", pyarrow.binary()),
    ("area", pyarrow.list_(pyarrow.int64())),
    ("centroid", pyarrow.list_(pyarrow.list_(pyarrow.float64(), 2))),
    ("bbox", pyarrow.list_(pyarrow.list_(pyarrow.int64(), 4))),
    ("mean_colour", pyarrow.list_(pyarrow.list_(pyarrow.float64(), 3))),
])  # fmt: skip


@dataclass(frozen=True)
class Task:
    """How each image is segmented: model, device, precision and threads as for `Segmenter.load`, options of its call and of `read_image`,
    and where the results go.

    `formats`: "npy", "png16" or "csv", of label files that are written beside the rows.
    """

    out: str
    model: str | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    formats: tuple[str, ...] = ()


class Worker:
    """Holds one Segmenter; a call does one part, and gives how many images it holds and what was wrong with some."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.segmenter = Segmenter.load(task.model, task.device, task.threads, task.precision)

    def __call__(self, part: Part) -> tuple[int, list[tuple[str, str]]]:
        path = Path(self.task.out, part.file)
        if not path.exists():  # else a worker that was lost afterwards has written it
            rows = [self._row(name, read) for name, read in _images(part, self.task.reading)]
            with atomic_path(path) as temporary:
                parquet.write_table(pyarrow.Table.from_pylist(rows, SCHEMA), temporary, compression="zstd")
        written = parquet.read_table(path, columns=["name", "error"]).to_pylist()
        return len(written), [(row["name"], row["error"]) for row in written if row["error"] is not None]

    def _row(self, name: str, read: Callable[[], NDArray[np.uint8]]) -> dict[str, Any]:
        paths = [Path(self.task.out, name + ENDINGS[kind]) for kind in self.task.formats]
        try:
            image = read()
            labels = self.segmenter(image, **self.task.options)
            height, width = labels.shape
            row = {"name": name, "height": height, "width": width, "labels": png16(labels, name), **_regions(labels, image)}
            for path in paths:
                check_replaceable(path)
        except AINetError as error:
            return {"name": name, "error": str(error)}
        except MemoryError:
            return {"name": name, "error": NO_MEMORY}
        for path in paths:
            write_labels(path, labels)  # an error of the disk ends the job: no other image would fare better
        return row


def _images(part: Part, reading: dict[str, Any]) -> Iterator[tuple[str, Callable[[], NDArray[np.uint8]]]]:
    """The name of each image, and what reads it."""
    for name, path in part.images:
        yield name, lambda path=path: read_image(path, **reading)  # type: ignore[misc]
    if part.source:
        file = parquet.ParquetFile(part.source)
        columns = [column for column in ("path", "bytes") if column in file.schema_arrow.names]
        for number, row in enumerate(file.read_row_group(part.row_group, columns).to_pylist()):
            name = row.get("path") or f"{Path(part.file).stem}-{number}"
            yield name, lambda data=row["bytes"], name=name: read_content(data or b"", name, **reading)  # type: ignore[misc]


def _regions(labels: NDArray[np.int32], image: NDArray[np.uint8]) -> dict[str, Sequence[Any]]:
    table = region_table(labels, image)
    return {name: table[name].tolist() for name in ("area", "centroid", "bbox", "mean_colour")}
