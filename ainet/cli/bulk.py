"""`ainet segment --ray`: the inputs of the command as a job on a Ray cluster."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from ainet.cli.console import errors, print_error, print_line
from ainet.cli.inputs import Collected, collect
from ainet.cli.options import needs
from ainet.errors import ImageError, UsageError
from ainet.files import is_file
from ainet.labels import ENDINGS
from ainet.models import absolute_model, check_names


def segment_on_ray(
    inputs: Sequence[str],
    out: Path,
    formats: Sequence[str],
    model: Path | None,
    device: str,
    precision: str,
    workers: int,
    address: str,
    options: dict[str, Any],
    reading: dict[str, Any],
) -> None:
    """Segment image files, or Parquet files with a column of them, and write Parquet files of labels, region tables and errors."""
    unknown = [name for name in formats if name not in ENDINGS]
    if unknown:
        raise UsageError(f"with --ray there is no format '{unknown[0]}': labels are in the Parquet files; beside them {', '.join(ENDINGS)}")
    tables = [Path(name) for name in inputs if name.endswith(".parquet")]
    if tables and (len(tables) < len(inputs) or formats):
        raise UsageError("Parquet files give Parquet files alone; leave out --format, and segment image files by another command")
    missing = [table for table in tables if not is_file(table)]
    if missing:
        raise ImageError(f"cannot read {missing[0]}: no such file; check the path")
    check_names(model, device, precision)
    found = Collected() if tables else _images(inputs)
    failures = found.problems
    for note in found.notes:
        print_line(note)
    for failure in failures:
        print_error(failure)
    with needs("--ray", "ray,cpu"):
        from ainet.bulk.parts import parts_of_files, parts_of_parquet
        from ainet.bulk.run import run
        from ainet.bulk.worker import Task
    if tables:
        parts, done = parts_of_parquet(tables, out)
    else:
        parts, done = parts_of_files([(str(item.name), item.path) for item in found.inputs], out, workers)
    path = None if model is None else absolute_model(model)
    task = Task(str(out.resolve()), path, device, precision, 0, options, reading, tuple(formats))
    broken = len(failures)
    total = len(failures)
    results = run(parts, task, workers, address) if parts else ()
    with errors.status(f"segmenting on Ray, {len(parts)} parts") as status:
        for number, (images, wrong) in enumerate(results, 1):
            total += images
            broken += len(wrong)
            for name, message in wrong:
                print_error(ImageError(message if name in message else f"{name}: {message}"))
            status.update(f"segmenting on Ray, {number} of {len(parts)} parts, {total - len(failures)} images")
    before = f"; {done} were done before" if done else ""
    print_line(f"{total - broken} of {total} images segmented into {out} by {workers} workers{before}")
    codes = [failure.exit_code for failure in failures]
    if broken > len(failures):
        codes.append(ImageError.exit_code)  # of what the workers' messages say
    if codes:
        raise typer.Exit(max(codes))


def _images(inputs: Sequence[str]) -> Collected:
    found = collect(inputs)
    videos = [item for item in found.inputs if item.is_video]
    if videos:
        raise UsageError(f"{videos[0].path} is a video: --ray takes images; segment videos by another command")
    return found
