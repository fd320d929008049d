"""The floor: how fast the GPU could be at best, from what has to be moved and computed and from what this GPU was measured to do.

**Least work.** Of a network: two operations for each multiply-add of its convolutions, and the bytes of fp16 that these move when each
reads its input and its weights once and writes its output once (`network_cost`). Of the other stages: each input read once and each output
written once, images and labels at the image's size, the network's input and its logits in float32 at the working size.

**Rates.** A large copy on the device (bytes read and bytes written), a large product of fp16 matrices of random numbers, and copies from
and to pinned host memory; medians. A stage's floor is the longer of its two times. What fits into the GPU's cache can be moved faster than
its memory can, so at small sizes a stage may come below its floor.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ainet.benchmarks.gpu_check.cases import CASES, images_at_once, plan_of
from ainet.benchmarks.gpu_check.networks import NETWORKS
from ainet.benchmarks.gpu_check.section import Context, Result
from ainet.benchmarks.speed.cases import Case
from ainet.benchmarks.speed.network_cost import elements, multiply_adds
from ainet.segmenter import bundled
from ainet.spec import NEIGHBOURS

BYTES, FLOAT, HALF = 1, 4, 2  # sizes of elements; labels are int32, as large as a float
COPY_BYTES, LINK_BYTES, SIDE = 2 * 2**30, 2**28, 8192
REPEATS, WARM_UPS = 20, 3
LINKS = {"upload": "host_to_device", "download": "device_to_host"}  # stages that the host link bounds


def run(context: Context) -> Iterator[Result]:
    result: Result = {"rates": {}, "method": {"copy_bytes": COPY_BYTES, "link_bytes": LINK_BYTES, "matrix_side": SIDE, "repeats": REPEATS}}
    for name, measure in RATES.items():
        context.check_time()
        result["rates"][name] = measure()
        yield result
    rows = []
    for case, batch in CASES:
        for network in NETWORKS:
            context.check_time()
            work = least_work(network, case, batch)
            stages = floors(work, result["rates"])
            row = {"network": network, "height": case.height, "width": case.width, "batch": batch, "work": work, "stages_ms": stages}
            rows.append({**row, "end_to_end_ms": sum(stages.values())})
        yield {**result, "rows": rows}


def least_work(network: str, case: Case, batch: int) -> dict[str, dict[str, int]]:
    """By stage: `bytes` that are moved and `operations` that are computed for a batch."""
    plan, path = plan_of(case), bundled(f"{network}.onnx")
    image, working = case.pixels, plan.working_height * plan.working_width
    size = plan.working_height, plan.working_width
    moved, weights = elements(path, *size)
    passes = -(-batch // images_at_once(case, batch))  # each reads the weights
    return {
        "upload": _work(batch * 3 * image * BYTES),
        "resize": _work(batch * (3 * image * BYTES + 3 * working * FLOAT)),
        "network": _work(HALF * (batch * moved + passes * weights), 2 * batch * multiply_adds(path, *size)),
        "arg-max": _work(batch * (NEIGHBOURS * working * FLOAT + image * FLOAT)),
        "connectivity": _work(batch * 2 * image * FLOAT),
        "download": _work(batch * image * FLOAT),
    }


def floors(work: dict[str, dict[str, int]], rates: dict[str, float]) -> dict[str, float]:
    """Milliseconds that each stage takes at least; rates: as of `RATES`."""
    return {
        stage: 1e3 * max(own["bytes"] / rates[LINKS.get(stage, "device_memory")], own["operations"] / rates["fp16_matrix"])
        for stage, own in work.items()
    }


def _work(moved: int, operations: int = 0) -> dict[str, int]:
    return {"bytes": moved, "operations": operations}


# --- rates -----------------------------------------------------------------------------------------------------------------------


def _device_memory() -> float:
    import torch

    source = torch.randint(0, 256, (COPY_BYTES,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / _seconds(lambda: target.copy_(source))


def _fp16_matrix() -> float:
    import torch

    first, second = (torch.randn(SIDE, SIDE, dtype=torch.float16, device="cuda") for _ in range(2))
    return 2 * SIDE**3 / _seconds(lambda: first @ second)


def _host_to_device() -> float:
    import torch

    source = torch.randint(0, 256, (LINK_BYTES,), dtype=torch.uint8).pin_memory()
    target = torch.empty(LINK_BYTES, dtype=torch.uint8, device="cuda")
    return LINK_BYTES / _seconds(lambda: target.copy_(source, non_blocking=True))


def _device_to_host() -> float:
    import torch

    source = torch.randint(0, 256, (LINK_BYTES,), dtype=torch.uint8, device="cuda")
    target = torch.empty(LINK_BYTES, dtype=torch.uint8).pin_memory()
    return LINK_BYTES / _seconds(lambda: target.copy_(source, non_blocking=True))


RATES: dict[str, Callable[[], float]] = {  # bytes or operations per second
    "device_memory": _device_memory,
    "fp16_matrix": _fp16_matrix,
    "host_to_device": _host_to_device,
    "device_to_host": _device_to_host,
}


def _seconds(action: Callable[[], Any]) -> float:
    """Median by CUDA events."""
    import torch

    times = []
    for number in range(-WARM_UPS, REPEATS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        action()
        end.record()
        end.synchronize()
        if number >= 0:
            times.append(start.elapsed_time(end) / 1e3)
    return sorted(times)[REPEATS // 2]
