"""From photos in host memory to labels in host memory, connectivity included: end to end, and stage by stage with CUDA events.

Of each case AINet and SCN run in turns in one process, and their ratio is the median of the ratios within the rounds. End to end is
the host's clock around the call that users make; where the network can be captured that is one CUDA graph for each shape. The stages
come from runs of their own, whose graphs hold events (`stages.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.gpu_check.cases import CASES, images_at_once, plan_of
from ainet.benchmarks.gpu_check.networks import BACKENDS, COMPILED, NETWORKS, absent, open_network
from ainet.benchmarks.gpu_check.section import Context, Result, SkippedError
from ainet.benchmarks.gpu_check.stages import STAGES, DeviceEvents, Events, StageGpu, StageNetwork
from ainet.benchmarks.gpu_check.timing import LEAST, MOST, WARM_UP, ratio, summary, take_turns
from ainet.benchmarks.speed.cases import Case
from ainet.images import read_image
from ainet.runtime.cuda.driver import Gpu
from ainet.runtime.cuda.network import GpuNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline

SECONDS = 1.0  # of counted rounds, for end to end and for stages each
PHOTO = Path("examples/photos/coffee.jpg")

Opener = Callable[[str], GpuNetwork]


def run(context: Context) -> Iterator[Result]:
    yield from _run(context, [name for name in BACKENDS if name != COMPILED])


def run_compiled(context: Context) -> Iterator[Result]:
    """The same through torch.compile, which takes long to begin with."""
    yield from _run(context, [COMPILED])


def _run(context: Context, backends: Sequence[str]) -> Iterator[Result]:
    missing = {name: reason for name in backends if (reason := absent(name))}
    present = [name for name in backends if name not in missing]
    if not present:
        raise SkippedError("; ".join(missing.values()))
    gpu, picture = Gpu(0), read_image(context.source / PHOTO)
    todo = [(backend, case, batch) for case, batch in CASES for backend in present]
    settings = {
        "precision": "fp16",
        "photo": PHOTO.name,
        "warm_up": dict(zip(("rounds_at_least", "rounds_at_most", "seconds"), WARM_UP, strict=True)),
        "counted": {"rounds_at_least": LEAST, "rounds_at_most": MOST, "seconds": SECONDS},
    }
    result: Result = {"settings": settings, "absent": missing, "rows": [], "failures": []}
    yield {**result, "not_measured": [_label(*one) for one in todo]}
    while todo:
        context.check_time()
        backend, case, batch = todo.pop(0)
        opener: Opener = partial(open_network, backend, precision="fp16", gpu=gpu, work=context.work)
        row: dict[str, Any] = {"backend": backend, "height": case.height, "width": case.width, "batch": batch}
        try:
            row |= measure(opener, gpu, DeviceEvents(), batch_of(picture, case, batch), case)
        except Exception as error:  # of any engine; the other rows go on
            row["error"] = f"{type(error).__name__}: {error}"
            result["failures"].append(f"{_label(backend, case, batch)}: {row['error'][:200]}")
        result["rows"].append(row)
        yield {**result, "not_measured": [_label(*one) for one in todo]}


def batch_of(picture: NDArray[np.uint8], case: Case, batch: int) -> NDArray[np.uint8]:
    """(batch, H, W, 3): the picture at the case's size, each image shifted by some rows, so that no two are equal."""
    image = case.picture(picture)
    return np.stack([np.roll(image, 7 * number, axis=0) for number in range(batch)])


def measure(opener: Opener, gpu: Gpu, events: Events, images: NDArray[np.uint8], case: Case, seconds: float = SECONDS) -> dict[str, Any]:
    """Times of one backend in one case, by network; `ratio`: of AINet to SCN, end to end and of the stage "network"."""
    plan, batch = plan_of(case), len(images)
    plain = {name: GpuPipeline(gpu, opener(name), name) for name in NETWORKS}
    try:
        times = take_turns({name: partial(pipeline.labels, images, plan) for name, pipeline in plain.items()}, seconds)
    finally:
        for pipeline in plain.values():
            pipeline.close()
    stages, captured = _stages(opener, gpu, events, images, case, seconds)
    of_network = {name: [run["network"] for run in stages[name]] for name in NETWORKS}
    return {
        "captured": captured,
        "images_at_once": images_at_once(case, batch),
        "networks": {
            name: {
                "end_to_end_ms": summary([1e3 * value for value in times[name]]),
                "images_per_second": batch / float(np.median(times[name])),
                "stages_ms": {stage: summary([run[stage] for run in stages[name]]) for stage in STAGES if stage in stages[name][0]},
            }
            for name in NETWORKS
        },
        "ratio": {
            "end_to_end": ratio(times["ainet"], times["scn"]),
            "network": ratio(of_network["ainet"], of_network["scn"]),
        },
    }


def _stages(
    opener: Opener, gpu: Gpu, events: Events, images: NDArray[np.uint8], case: Case, seconds: float
) -> tuple[dict[str, list[dict[str, float]]], bool]:
    """Milliseconds by stage of every counted run, by network; and whether the runs were captured graphs."""
    plan, at_once = plan_of(case), images_at_once(case, len(images))
    parts = [images[start : start + at_once] for start in range(0, len(images), at_once)]  # in one stream, one after the other
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in NETWORKS}
    pipelines, actions = [], {}
    networks: list[GpuNetwork] = []
    for name in NETWORKS:
        staged: Any = StageGpu(gpu, events)
        networks.append(opener(name))
        network: Any = StageNetwork(networks[-1], staged)
        pipelines.append(GpuPipeline(staged, network, name))
        actions[name] = partial(_staged_run, pipelines[-1], staged, parts, plan, runs[name])
    try:
        counted = take_turns(actions, seconds)
    finally:
        for pipeline in pipelines:
            pipeline.close()
    return {name: runs[name][-len(counted[name]) :] for name in NETWORKS}, all(network.capturable for network in networks)


def _staged_run(pipeline: GpuPipeline, gpu: StageGpu, parts: Sequence[NDArray[np.uint8]], plan: Any, runs: list[dict[str, float]]) -> None:
    gpu.take()
    for images in parts:
        pipeline.labels(images, plan)
    runs.append(gpu.take())


def _label(backend: str, case: Case, batch: int) -> str:
    return f"{backend}, {case.width}x{case.height}, batch {batch}"
