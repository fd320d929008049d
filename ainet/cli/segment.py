"""`ainet segment`: superpixels of image and video files."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import errors, print_error, print_line
from ainet.errors import AINetError, ImageError, OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ainet.cli.inputs import Input
    from ainet.cli.outputs import Format
    from ainet.segmenter import Segmenter


def segment(
    inputs: Annotated[list[str], typer.Argument(help="Images, videos, folders or quoted globs.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder.", show_default=False)],
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="npy, png16, csv or overlay; may be repeated.", show_default="npy")
    ] = None,
    n_segments: Annotated[int | None, typer.Option("-n", "--n-segments", help="About how many superpixels.", show_default="600")] = None,
    scale: Annotated[float | None, typer.Option(help="Instead of a count: working size relative to the image.")] = None,
    protocol: Annotated[str | None, typer.Option(help="'public': the evaluation protocol of the public code.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="ONNX model or engine, checkpoint for torch, or ainet or scn, the bundled ones.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, openvino, tensorrt, tensorrt:N, torch or torch:DEVICE.")] = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="How many images at the same time.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Run as a job on Ray, into Parquet files: the address of a cluster, or local.", show_default="no Ray")
    ] = None,
) -> None:
    """Segment images and videos into superpixels, one label map each."""
    from ainet.cli.inputs import collect
    from ainet.cli.outputs import Format
    from ainet.runtime.plan import MIN_SEGMENTS, check_protocol, check_scale
    from ainet.segmenter import Segmenter

    unknown = [name for name in formats or () if name not in list(Format)]
    if unknown:
        raise UsageError(f"unknown format '{unknown[0]}'; choose {', '.join(Format)}")
    if n_segments is not None and (scale is not None or protocol is not None):
        raise UsageError("--n-segments contradicts --scale and --protocol; give the one or the other")
    if n_segments is None:
        n_segments = 600
    if n_segments < MIN_SEGMENTS:
        raise UsageError(f"n_segments={n_segments} is out of range: choose {MIN_SEGMENTS} to a quarter of the image's pixels")
    if scale is not None:
        check_scale(scale)
    check_protocol(protocol)
    if ray is not None:
        from ainet.cli.bulk import segment_on_ray

        options = {"n_segments": n_segments, "scale": scale, "protocol": protocol}
        segment_on_ray(inputs, out, formats or (), model, device, jobs, ray, options)
        return
    found, failures = collect(inputs)
    total = len(found) + len(failures)
    for failure in failures:
        print_error(failure)
    threads = max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else 0
    with Segmenter.load(model, device, threads) as segmenter:
        work = _Work(segmenter, found, out, [Format(name) for name in dict.fromkeys(formats or ["npy"])], n_segments, scale, protocol)
        for item, result in _run(work, found, jobs):
            if isinstance(result, AINetError):
                failures.append(result)
                print_error(result)
            else:
                print_line(f"{item.path}: {result}")
        print_line(f"{total - len(failures)} of {total} inputs segmented into {out} on {segmenter.device}")
    if failures:
        raise typer.Exit(max(failure.exit_code for failure in failures))


class _Work:
    """One input -> its files, and a line about them."""

    def __init__(
        self,
        segmenter: "Segmenter",
        items: "list[Input]",
        out: Path,
        formats: "list[Format]",
        n_segments: int,
        scale: float | None,
        protocol: str | None,
    ) -> None:
        self.segmenter, self.out, self.formats = segmenter, out, formats
        self.options = {"n_segments": n_segments, "scale": scale, "protocol": protocol}
        self.sources = {item.path.resolve() for item in items}
        self.stop = threading.Event()

    def __call__(self, item: "Input") -> str:
        if item.is_video:
            from ainet.cli.video import segment_video

            return segment_video(self, item)
        from ainet.cli.outputs import result_path, write
        from ainet.images import read_image

        image = read_image(item.path)
        labels = self.labels(image, item.path)
        for kind in self.formats:
            path = result_path(self.out, item.name, kind)
            if path.resolve() in self.sources:
                raise OutputError(f"cannot write {path}: it is one of the inputs; choose another output folder")
            write(path, kind, image, labels)
        plan = self.segmenter.plan(*image.shape[:2], **self.options)  # type: ignore[arg-type]
        return f"{plan}; {int(labels.max()) + 1} superpixels"

    def labels(self, image: "NDArray[np.uint8]", source: Path) -> "NDArray[np.int32]":
        """Segment an image; errors name the file `source`."""
        try:
            return self.segmenter(image, **self.options)  # type: ignore[call-overload]
        except AINetError as error:
            raise type(error)(f"{source}: {error}") from error
        except MemoryError as error:
            raise ImageError(f"{source}: not enough memory; scale the image down, or ask for fewer superpixels") from error


def _run(work: _Work, items: "list[Input]", jobs: int) -> "Iterator[tuple[Input, str | AINetError]]":
    """Yield each input with its line or error as it is done, under a progress bar on a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("segmenting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress, ThreadPoolExecutor(jobs) as pool:
        futures: dict[Future[str], Input] = {pool.submit(work, item): item for item in items}
        task = progress.add_task("", total=len(futures))
        try:
            for future in as_completed(futures):
                try:
                    result: str | AINetError = future.result()
                except AINetError as error:
                    result = error
                except Exception as error:  # a fault of ours, or too little memory: the other inputs are still done
                    result = ImageError(f"{futures[future].path}: {type(error).__name__}: {error}")
                progress.advance(task)
                yield futures[future], result
        except BaseException:  # Ctrl-C, or an error of the program: start nothing more
            work.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
