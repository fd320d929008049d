"""fp16 on the GPU against PyTorch in float32 on the CPU: the bounds of `ainet verify`, through each backend."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ainet.benchmarks.gpu_check.networks import BACKENDS, COMPILED, NETWORKS, absent, open_network
from ainet.benchmarks.gpu_check.section import Context, Result, SkippedError
from ainet.benchmarks.parity.compare import Candidate, measure
from ainet.export.agreement import BOUNDS
from ainet.images import IMAGE_SUFFIXES, read_image
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.segmenter import bundled, open_torch
from ainet.training.datasets import BSDS500

IMAGES = 25  # of BSDS500 val
SUPERPIXELS = 600
PHOTOS = Path("examples/photos")


def run(context: Context) -> Iterator[Result]:
    present = [name for name in BACKENDS if name != COMPILED and not absent(name)]
    if not present:
        raise SkippedError("; ".join(f"{name}: {absent(name)}" for name in BACKENDS))
    samples = [] if context.bsds is None else BSDS500(context.bsds, "val")[:IMAGES]
    photos = sorted(path for path in (context.source / PHOTOS).iterdir() if path.suffix in IMAGE_SUFFIXES)
    images = [(Path(sample.image_id), sample.image()) for sample in samples] or [(path, read_image(path)) for path in photos]
    gpu = Gpu(0)
    result: Result = {
        "images": len(images),
        "bsds_images": len(samples),
        "superpixels": SUPERPIXELS,
        "bounds": asdict(BOUNDS["fp16"]),
        "rows": [],
        "failures": [],
    }
    for network in NETWORKS:
        reference = open_torch(bundled(f"{network}.safetensors"), "cpu")
        for backend in present:
            context.check_time()
            row: dict[str, Any] = {"network": network, "backend": backend}
            try:
                pipeline = GpuPipeline(gpu, open_network(backend, network, "fp16", gpu, context.work), backend)
                (found,) = measure(reference, [Candidate(network, pipeline)], images, samples, SUPERPIXELS)
                row |= {**asdict(found), "out_of_bounds": found.failures}
                result["failures"] += [f"{network}, {backend}: {name}" for name in found.failures]
                pipeline.close()
            except Exception as error:  # of any engine; the other rows go on
                row["error"] = f"{type(error).__name__}: {error}"
                result["failures"].append(f"{network}, {backend}: {row['error'][:200]}")
            result["rows"].append(row)
            yield result
