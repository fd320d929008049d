"""Photos a second of a folder, from the shell: `ainet segment` beside SLIC of OpenCV and of scikit-image.

    result = throughput(Path("photos"), n_segments=600, jobs=2, repeats=3)

Every candidate starts anew in each round, reads the same photos, no videos, and writes a label map of each. `ainet segment` overlaps
reading, network and writing; the others have a process for each job, whose photos are read, segmented and written one after the other.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.pool import Stop, run_tasks
from ainet.benchmarks.peers import Method, Options, open_method, open_methods
from ainet.benchmarks.speed.clock import Candidate, alternate
from ainet.benchmarks.speed.fresh import run_fresh
from ainet.folders import image_files
from ainet.images import read_image
from ainet.labels import write_labels

OURS = {
    "ainet": ["--model", "ainet"],
    "ainet, plain grid": ["--model", "ainet", "--quality", "fast"],
    "ainet-lite": ["--model", "ainet-lite"],
    "ainet-lite, plain grid": ["--model", "ainet-lite", "--quality", "fast"],
}
PEERS = ("slic-cv", "slic", "fast-slic")
REFERENCE = "slic-cv"


@dataclass(frozen=True)
class _Photo:
    method: str
    path: Path
    out: Path
    n_segments: int


def throughput(
    folder: Path,
    n_segments: int,
    jobs: int,
    repeats: int,
    on_skip: Callable[[str], None] = lambda line: None,
    ours: Mapping[str, Sequence[str]] = OURS,
    peers: Sequence[str] = PEERS,
) -> dict[str, Any]:
    """Rows of each candidate: photos a second, and the ratio to OpenCV's SLIC, which must be among the peers.

    ours: options of `ainet segment`, by name. peers: methods; those that are not installed are left out.

    Raises:
        UsageError: there is no such folder.
        ImageError: it holds no photo, or something in it cannot be read.
        DeviceError: a process fails.
    """
    photos = image_files(folder, on_skip)
    methods, skipped = open_methods(peers, Options())
    for line in skipped.values():
        on_skip(line)
    with tempfile.TemporaryDirectory() as links, tempfile.TemporaryDirectory() as out:
        linked = [Path(links, f"{number}{photo.suffix}") for number, photo in enumerate(photos)]
        for link, photo in zip(linked, photos, strict=True):
            link.symlink_to(photo.resolve())
        shared = ["-n", str(n_segments), "--jobs", str(jobs)]
        candidates: dict[str, Candidate] = {
            name: partial(run_fresh, ["-m", "ainet", "segment", links, "-o", str(Path(out, name)), *shared, *options])
            for name, options in ours.items()
        }
        for name in methods:
            Path(out, name).mkdir()
            tasks = [_Photo(name, path, Path(out, name), n_segments) for path in linked]
            candidates[name] = partial(_segment_all, tasks, jobs)
        times = alternate(candidates, repeats, warm_up=0)
    return {
        "settings": {"photos": len(photos), "n_segments": n_segments, "jobs": jobs, "repeats": repeats},
        "rows": [
            {
                "method": name,
                "photos_per_second": len(photos) / own.median,
                f"/ {REFERENCE}": times[REFERENCE].ratio_to(own),
            }
            for name, own in times.items()
        ],
        "skipped": skipped,
    }


def _segment_all(tasks: Sequence[_Photo], jobs: int) -> None:
    for _ in run_tasks(_segment, tasks, jobs):
        pass


def _segment(photo: _Photo, stop: Stop) -> None:
    labels = _opened(photo.method)(read_image(photo.path), photo.n_segments)
    write_labels(photo.out / f"{photo.path.stem}.npy", labels)


@lru_cache(1)
def _opened(name: str) -> Method:
    return open_method(name, Options())
