"""The parts that a job is cut into: each becomes one Parquet file of rows, whole or not there, so that a job goes on where it stopped."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as parquet

from ainet.errors import ImageError, UsageError

MOST_FILES = 256  # in a part
PARTS_PER_WORKER = 16  # at least, where there are so many files: what a lost worker has to do again stays small


@dataclass(frozen=True)
class Part:
    """`file`: what it becomes, below the output folder. It holds image files (name, path), or a row group of a Parquet file `source`."""

    file: str
    images: tuple[tuple[str, str], ...] = ()
    source: str = ""
    row_group: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Part":
        entries = json.loads(text)
        return cls(**{**entries, "images": tuple((name, path) for name, path in entries["images"])})


def parts_of_files(images: Sequence[tuple[str, Path]], out: Path, workers: int) -> tuple[list[Part], int]:
    """The parts of image files, by name and path, that are still to be done, and how many images are done already.

    Raises:
        ImageError: a part in `out` is damaged.
    """
    done = finished_names(out)
    left = [(name, str(path.resolve())) for name, path in images if name not in done]
    size = max(1, min(MOST_FILES, len(left) // (PARTS_PER_WORKER * workers)))
    parts = []
    for start in range(0, len(left), size):
        chosen = tuple(left[start : start + size])
        digest = hashlib.sha256(json.dumps([name for name, _ in chosen]).encode()).hexdigest()[:16]
        parts.append(Part(f"images-{digest}.parquet", chosen))
    return parts, len(images) - len(left)


def parts_of_parquet(sources: Sequence[Path], out: Path) -> tuple[list[Part], int]:
    """The parts of Parquet files that are still to be done, one for each row group, and how many rows are done already.

    Raises:
        ImageError: a file cannot be read.
        UsageError: a file has no binary column "bytes"; two files have one name.
    """
    if len({source.stem for source in sources}) < len(sources):
        raise UsageError("two of the Parquet files have one name, and so would their results; rename one, or use another output folder")
    parts, done = [], 0
    for source in sources:
        metadata = _metadata(source)
        columns = metadata.schema.to_arrow_schema()
        if "bytes" not in columns.names or str(columns.field("bytes").type) not in ("binary", "large_binary"):
            raise UsageError(f"{source} has no binary column 'bytes' with image files; it has {', '.join(columns.names)}")
        for group in range(metadata.num_row_groups):
            part = Part(f"{source.stem}-{group:05}.parquet", source=str(source.resolve()), row_group=group)
            if (out / part.file).exists():
                done += metadata.row_group(group).num_rows
            else:
                parts.append(part)
    return parts, done


def finished_names(out: Path) -> set[str]:
    """The images in the parts that are there."""
    names: set[str] = set()
    for file in sorted(out.glob("images-*.parquet")):
        _metadata(file)
        names.update(parquet.read_table(file, columns=["name"])["name"].to_pylist())
    return names


def _metadata(file: Path) -> parquet.FileMetaData:
    try:
        return parquet.read_metadata(file)
    except Exception as error:  # pyarrow's have no common base, and OSError comes without a number
        raise ImageError(f"{file} is no Parquet file that can be read ({error}); fetch it again") from error
