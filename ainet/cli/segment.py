"""`ainet segment`: superpixels of image and video files."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import errors, print_error, print_line, progress_bar
from ainet.cli.options import DeviceOption
from ainet.errors import NO_MEMORY, AINetError, ImageError, UsageError
from ainet.models import BUNDLED, DEFAULT

if TYPE_CHECKING:
    from ainet.cli.inputs import Input
    from ainet.cli.job import Job

NAMED_PAGES = 3  # of those of a file that cannot be segmented


def segment(
    inputs: Annotated[list[str], typer.Argument(help="Images, videos, folders or quoted globs.", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="Output folder.", show_default=False)],
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="npy, png16, csv, overlay, geojson or labelme; may be repeated.", show_default="npy"),
    ] = None,
    n_segments: Annotated[
        int | None, typer.Option("-n", "--n-segments", "--regions", help="How many superpixels, exactly.", show_default="600")
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Instead of a count: working size relative to the image.")] = None,
    protocol: Annotated[str | None, typer.Option(help="'public': the evaluation protocol of the public code.")] = None,
    quality: Annotated[
        str | None,
        typer.Option(help="best: merged from finer ones to the count; fast: a plain grid of about as many.", show_default="best"),
    ] = None,
    compact: Annotated[bool, typer.Option("--compact", help="More even shapes, with smoother outlines.")] = False,
    model: Annotated[
        Path | None,
        typer.Option(help=f"ONNX model or engine, checkpoint for torch, or {', '.join(BUNDLED)}: the bundled ones.", show_default=DEFAULT),
    ] = None,
    device: DeviceOption = "auto",
    precision: Annotated[
        str, typer.Option(help="Of the bundled models. auto: INT8 where the processor computes it exactly; fp32; fp16 on torch:cuda.")
    ] = "auto",
    stretch: Annotated[
        str | None,
        typer.Option(help="What becomes black and white in 16-bit and float images: minmax, percentile, none, or a range: 0,4095."),
    ] = None,
    bands: Annotated[
        list[str] | None, typer.Option(help="Which bands to take as grey or as R, G and B, from 1: 4,3,2; or each by an option of its own.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many images at a time; others are read and written meanwhile.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Run as a job on Ray, into Parquet files: the address of a cluster, or local.", show_default="no Ray")
    ] = None,
) -> None:
    """Segment images and videos into superpixels, one label map each."""
    from ainet.arguments import check_quality
    from ainet.cli.inputs import collect
    from ainet.cli.job import Job
    from ainet.cli.outputs import Format
    from ainet.runtime.plan import check_count, check_protocol, checked_scale
    from ainet.runtime.threads import usable_cores
    from ainet.segmenter import Segmenter
    from ainet.stretch import checked_bands, checked_stretch

    unknown = [name for name in formats or () if name not in list(Format)]
    if unknown:
        raise UsageError(f"unknown format '{unknown[0]}'; choose {', '.join(Format)}")
    if n_segments is not None and (scale is not None or protocol is not None):
        raise UsageError("--n-segments contradicts --scale and --protocol; give the one or the other")
    n_segments = 600 if n_segments is None else n_segments
    check_count(n_segments, least=1)
    check_quality(quality, scale, protocol)
    if scale is not None:
        checked_scale(scale)
    check_protocol(protocol)
    options = {"n_segments": n_segments, "scale": scale, "protocol": protocol, "quality": quality, "compact": compact}
    reading = {"stretch": checked_stretch(stretch), "bands": checked_bands(",".join(bands) if bands else None)}
    if ray is not None:
        from ainet.cli.bulk import segment_on_ray

        segment_on_ray(inputs, out, formats or (), model, device, precision, jobs, ray, options, reading)
        return
    found = collect(inputs)
    failures = found.problems
    total = len(found.inputs) + len(failures)
    for note in found.notes:
        print_line(note)
    for failure in failures:
        print_error(failure)
    kinds = [Format(name) for name in dict.fromkeys(formats or ["npy"])]
    if Format.GEOJSON in kinds:
        _tell_of_rasterio(found.inputs)
    threads = max(1, usable_cores() // jobs) if jobs > 1 else 0
    with Segmenter.load(model, device, threads, precision) as segmenter:
        job = Job(segmenter, options, reading, out, kinds, found.inputs, Semaphore(jobs))
        for item, result in _run(job, found.inputs, jobs):
            if isinstance(result, AINetError):
                failures.append(result)
                print_error(result)
            else:
                print_line(f"{item.path}: {result}")
        print_line(f"{total - len(failures)} of {total} inputs segmented into {out} on {segmenter.device}")
    if failures:
        raise typer.Exit(max(failure.exit_code for failure in failures))


def _tell_of_rasterio(items: "list[Input]") -> None:
    from ainet.cli.outputs import TIFF_SUFFIXES
    from ainet.georeference import has_rasterio

    tiffs = [item for item in items if item.path.suffix.lower() in TIFF_SUFFIXES]
    if tiffs and not has_rasterio():
        errors.print(f"{tiffs[0].path}: polygons in pixels, as georeferences need rasterio: pip install 'ainet-toolkit[geo]'", markup=False)


def _segment_one(job: "Job", item: "Input") -> str:
    """Write the results of an input; a line about them."""
    if item.is_video:
        from ainet.cli.video import segment_video

        return segment_video(job, item)
    from ainet.images import read_pages

    superpixels, problems = [], []
    for ending, page in read_pages(item.path, **job.reading):
        try:
            if isinstance(page, AINetError):
                raise page
            labels = job.labels(page, item.path)
            job.write(item, job.page_name(item, ending), page, labels)
        except AINetError as error:
            problems.append(type(error)(f"page {ending[1:]}: {error}") if ending else error)
        else:
            superpixels.append(int(labels.max()) + 1)
            line = f"{job.plan(page)}; {superpixels[0]} superpixels"
    if problems:
        raise _of_all_pages(problems, len(superpixels))
    return line if len(superpixels) == 1 else f"{len(superpixels)} pages; {sum(superpixels)} superpixels"


def _of_all_pages(problems: list[AINetError], done: int) -> AINetError:
    """One error of an input, of which so many pages are `done`."""
    if done + len(problems) == 1:
        return problems[0]
    more = f"; and {len(problems) - NAMED_PAGES} more" if len(problems) > NAMED_PAGES else ""
    reasons = "; ".join(map(str, problems[:NAMED_PAGES]))
    return type(problems[0])(f"{done} of {done + len(problems)} pages segmented; {reasons}{more}")


def _run(job: "Job", items: "list[Input]", jobs: int) -> "Iterator[tuple[Input, str | AINetError]]":
    """Yield each input with its line or error, in their order, under a progress bar on a terminal.

    Two threads more than jobs: reading and writing take a third of the time, in which the next image is segmented.
    """
    with progress_bar() as bar, ThreadPoolExecutor(jobs + 2) as pool:
        futures = [(item, pool.submit(_segment_one, job, item)) for item in items]
        task = bar.add_task("segmenting", total=len(futures))
        try:
            for item, future in futures:
                try:
                    result: str | AINetError = future.result()
                except AINetError as error:
                    result = error
                except MemoryError:
                    result = ImageError(f"{item.path}: {NO_MEMORY}")
                except Exception as error:  # a fault of ours: the other inputs are still done
                    result = ImageError(f"{item.path}: {type(error).__name__}: {error}")
                bar.advance(task)
                yield item, result
        except BaseException:  # Ctrl-C, or an error of the program: start nothing more
            job.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
