"""Accuracy of superpixel methods on BSDS500 and NYUv2, by the public protocol of SCN and AINet.

    paths = run_accuracy(["ainet", "slic"], "BSDS500/data", "val", "runs/val", weights=None, jobs=4)

**Protocol.** At each scale s (15 from 0.3 to 1.8 on BSDS500, 10 from 0.5 to 1.4 on NYUv2) a method is asked for int(600 s^2) superpixels
(NYUv2: int(1200 s^2)) of the image at its own size; our networks work at the sizes of the public code (`plan.plan_public`). The main
figure of a scale is the mean over all (image, ground truth) pairs; at scale 1 the other conventions in use stand beside it by name (see
`summary`). The summary holds the metrics that papers report, the CSV file all of them.

**Folder of a run**, of which a method owns its files, so that runs of several methods may share it:
    accuracy_METHOD.json    the summary: what reports and the README are made from
    accuracy_METHOD.csv     a row per scale, image and ground truth, with every metric
    METHOD/run.json         what decides the labels; a run that differs is refused, an equal one goes on where the last one ended
    METHOD/rows/ID.jsonl    a line per scale of one image
    METHOD/labels/SCALE/ID.csv   label maps, as superpixel-benchmark reads a folder of them: of `EXAMPLES` images at scale 1, or all
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.figures import summarise_scales, write_csv
from ainet.benchmarks.accuracy.pool import Stop, run_tasks
from ainet.benchmarks.accuracy.protocol import BSDS, Protocol
from ainet.benchmarks.peers import Method, Options, open_method, open_methods
from ainet.benchmarks.result import write_result
from ainet.errors import AINetError, ImageError, ModelError, UsageError
from ainet.files import atomic_path, parse_json, write_json
from ainet.labels import write_labels
from ainet.metrics import Row, evaluate_image
from ainet.training.datasets import FileSample

EXAMPLES = 3  # images whose labels are kept for the report's strips

ImageDone = Callable[[str, int, int], None]  # method, images done, images of the split


def run_accuracy(
    names: Sequence[str],
    root: str | os.PathLike[str],
    split: str,
    out: str | os.PathLike[str],
    weights: Path | None = None,
    jobs: int = 1,
    keep_labels: bool = False,
    progress: ImageDone = lambda method, done, total: None,
    on_skip: Callable[[str], None] = lambda line: None,
    protocol: Protocol = BSDS,
) -> list[Path]:
    """Evaluate methods on one split; goes on from what `out` holds of an equal run.

    Args:
        names: methods, see `peers`.
        root: folder of the data set, see `ainet.training.datasets`.
        split: of the data set: "train", "val" or "test"; NYUv2 has no "val".
        out: folder of the run.
        weights: folder with what the methods run that is not bundled, see `peers.Options`.
        jobs: images at the same time, each in a process of one thread.
        keep_labels: keep the label maps of all images and scales.
        progress: told after every image.
        on_skip: given a line for each method that is not installed.
        protocol: the data set, and what is asked for on it.

    Returns:
        The JSON summaries, one per method that is installed.

    Raises:
        UsageError: a data set that is missing or incomplete, an unknown method, one without trained weights, or a folder of another run.
        ImageError: an image or ground truth is damaged or of another size.
        DeviceError: no method is installed, or a process of the run was killed.
        ModelError: weights cannot be used, or a method failed.
        OutputError: a result cannot be written.
    """
    samples = _samples(protocol, root, split)
    options = Options(weights=weights)
    methods, skipped = open_methods(names, options)
    for name, method in methods.items():
        if not method.trained:
            raise UsageError(
                f"method '{name}' has random weights, whose accuracy means nothing; name the folder of its weights, or leave it out"
            )
    for line in skipped.values():
        on_skip(line)
    scales = protocol.scales
    asked = {"name": "public", "scales": list(scales), "n_segments": [protocol.segments_at(scale) for scale in scales]}
    data = {"name": protocol.data, "split": split, "images": len(samples), "sha256": _data_hash(samples)}
    about = {
        name: {"method": name, "parameters": dict(method.parameters), "protocol": asked, "data": data} for name, method in methods.items()
    }
    for name in methods:
        _check_same_run(Path(out) / name / "run.json", about[name])
    step = max(1, len(samples) // EXAMPLES)
    kept = set(samples) if keep_labels else set(samples[step // 2 :: step][:EXAMPLES])
    results = []
    for name in methods:
        folder = Path(out) / name
        write_json(folder / "run.json", about[name])
        tasks = [_Task(name, options, sample, protocol, folder, sample in kept, keep_labels) for sample in samples]
        work = partial(_evaluate, methods[name]) if jobs == 1 else _evaluate_in_process
        for done, _ in enumerate(run_tasks(work, tasks, jobs)):
            progress(name, done + 1, len(samples))
        rows: dict[float, list[Row]] = {scale: [] for scale in scales}
        for sample in samples:
            of_image = _read_rows(folder, sample.image_id)
            for scale in scales:
                rows[scale] += of_image[scale]
        write_csv(Path(out) / f"accuracy_{name}.csv", rows, protocol)
        results.append(Path(out) / f"accuracy_{name}.json")
        write_result(results[-1], "accuracy", {**about[name], **summarise_scales(rows, protocol), "skipped": skipped})
    return results


# --- one image, in a process of the pool -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    """All scales of one image, one after the other in one process: a method may keep what does not depend on the count."""

    method: str
    options: Options
    sample: FileSample
    protocol: Protocol
    folder: Path
    keep: bool  # label maps: at scale 1
    keep_all: bool  # at all scales

    def keeps(self, scale: float) -> bool:
        return self.keep and (self.keep_all or scale == 1)

    def lacks_labels(self, scale: float) -> bool:
        return self.keeps(scale) and not self.labels_path(scale).is_file()

    def labels_path(self, scale: float) -> Path:
        return self.folder / "labels" / f"{scale:g}" / f"{self.sample.image_id}.csv"


@lru_cache(1)
def _opened(name: str, options: Options) -> Method:
    return open_method(name, options)


def _evaluate_in_process(task: _Task, stop: Stop) -> None:
    _evaluate(_opened(task.method, task.options), task, stop)


def _evaluate(method: Method, task: _Task, stop: Stop) -> None:
    """Segment and evaluate what is missing of one image; every scale is on the disk before the next begins."""
    name, image_id = task.method, task.sample.image_id
    done = _read_rows(task.folder, image_id)
    todo = [scale for scale in task.protocol.scales if scale not in done or task.lacks_labels(scale)]
    if not todo:
        return
    image, truths = task.sample.image(), task.sample.segmentations()
    if image.shape[:2] not in task.protocol.sizes:
        raise ImageError(f"image {image_id} is {image.shape[:2]} (H, W), not of the size of {task.protocol.data} images; fetch it again")
    for scale in todo:
        if stop():
            return
        try:
            labels = method(image, task.protocol.segments_at(scale))
        except AINetError as error:
            raise type(error)(f"{name}, image {image_id}, scale {scale:g}: {error}") from error
        except Exception as error:  # of whatever library the method is from
            raise ModelError(f"{name} failed on image {image_id} at scale {scale:g}: {type(error).__name__}: {error}") from error
        if task.keeps(scale):
            write_labels(task.labels_path(scale), labels)
        if scale not in done:
            done[scale] = evaluate_image(image_id, labels, truths, image)
            _write_rows(task.folder, image_id, done)


def _rows_path(folder: Path, image_id: str) -> Path:
    return folder / "rows" / f"{image_id}.jsonl"


def _read_rows(folder: Path, image_id: str) -> dict[float, list[Row]]:
    """The rows of the scales that are done; empty where none is."""
    path = _rows_path(folder, image_id)
    if not path.is_file():
        return {}
    try:
        lines = [parse_json(line) for line in path.read_text().splitlines()]
        return {line["scale"]: [Row(image_id, k, **pair) for k, pair in enumerate(line["pairs"])] for line in lines}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is damaged ({error}); remove it, and its image is evaluated again") from error


def _write_rows(folder: Path, image_id: str, done: Mapping[float, Sequence[Row]]) -> None:
    with atomic_path(_rows_path(folder, image_id)) as temporary, temporary.open("w") as file:
        for scale, rows in done.items():
            json.dump({"scale": scale, "pairs": [{"metrics": row.metrics, "merged": row.merged} for row in rows]}, file)
            file.write("\n")


# --- the run as a whole ----------------------------------------------------------------------------------------------------------------


def _samples(protocol: Protocol, root: str | os.PathLike[str], split: str) -> list[FileSample]:
    if split not in protocol.splits:
        raise UsageError(f"{protocol.data} has no split '{split}'; choose {', '.join(protocol.splits)}")
    samples = list(protocol.open(root, split))
    if len(samples) != protocol.splits[split]:
        raise UsageError(
            f"{root} has {len(samples)} of the {protocol.splits[split]} images of {protocol.data} '{split}': figures of a part compare "
            "with none; unpack the archive again"
        )
    return samples


def _data_hash(samples: Iterable[FileSample]) -> str:
    """SHA-256 over the names and contents of all files of images and ground truths."""
    total = hashlib.sha256()
    for path in dict.fromkeys(path for sample in samples for path in sample.files):
        with path.open("rb") as file:
            total.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def _check_same_run(path: Path, about: Mapping[str, Any]) -> None:
    if not path.is_file():
        return
    try:
        found = dict(parse_json(path.read_text()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path} is damaged ({error}); remove the folder {path.parent}, and start again") from error
    for key, value in json.loads(json.dumps(about)).items():
        if found.get(key) != value:
            raise UsageError(
                f"{path.parent} holds a run with another {key}: {found.get(key)}, now {value}; choose another folder, or remove it"
            )
