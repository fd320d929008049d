"""How long methods take, over the number of superpixels and over the size of the image, all in one run.

    result = run_latency(["ainet", "scn", "ssn"], options=Options(threads=2), progress=print)

Before anything is timed, each method is called once in a fresh process (`probe`), which gives its memory, and says whether the case is
too slow or too large; then it is left out, with the reason. All others are open in one process and alternate (`clock`), with a pause
before each call so that the threads of the method before it have gone to rest. A method takes part in as many rounds as `budget`
allows it, at least 3.

Stages are those of `peers`: network (with the preparation of its input), assignment, connectivity; each ends synchronised with its
device. Growth is the slope of log median time over log pixels, by least squares over the sizes.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import Method, Options, on_gpu, open_methods
from ainet.benchmarks.peers.ours import OwnPeer
from ainet.benchmarks.speed.cases import COUNTS, COUNTS_SIZE, SIZES, Case, case_of_size, synthetic_picture
from ainet.benchmarks.speed.clock import Stages, Times, alternate
from ainet.benchmarks.speed.probe import Probe, available_mib, probe
from ainet.benchmarks.speed.stages import time_stages
from ainet.decoding import MAX_DECODED_PIXELS, check_size
from ainet.errors import AINetError, UsageError

REFERENCES = ("scn", "ssn")
PAUSE = 0.03  # seconds
WARM_UP = 2  # rounds
LEAST = 3  # repeats
DEFAULTS = Options()
MEMORY_SHARE = 0.8  # of what is free

Prober = Callable[[str, Options, NDArray[np.uint8], int], Probe]
Row = dict[str, Any]


@dataclass
class _Run:
    options: Options
    budget: float
    repeats: int
    picture: NDArray[np.uint8]
    methods: Mapping[str, Method]
    progress: Callable[[str], None]
    prober: Prober
    free_mib: Callable[[], float | None]
    memory: list[Row] = field(default_factory=list)
    left_out: list[Row] = field(default_factory=list)

    def leave_out(self, name: str, case: Case, reason: str) -> None:
        self.left_out.append({"method": name, **asdict(case), "reason": reason})


def run_latency(
    names: Sequence[str],
    counts: Sequence[int] = COUNTS,
    sizes: Sequence[tuple[int, int]] = tuple(SIZES.values()),
    options: Options = DEFAULTS,
    repeats: int = 30,
    budget: float = 30.0,
    picture: NDArray[np.uint8] | None = None,
    batches: Sequence[int] = (),
    progress: Callable[[str], None] = lambda line: None,
    on_skip: Callable[[str], None] = lambda line: None,
    prober: Prober = probe,
    free_mib: Callable[[], float | None] = available_mib,
) -> dict[str, Any]:
    """Time methods, ours and their peers; those with random weights too, and the result says so.

    Args:
        names: methods, see `peers`.
        counts: numbers of superpixels at 321 x 481 pixels.
        sizes: (height, width) of images, with a superpixel for every 16 x 16 pixels.
        options: threads, device of the methods in PyTorch, folder of weights.
        repeats: counted calls of each method in each case, where the budget allows.
        budget: seconds for a method in a case; one whose single call would take longer is left out.
        picture: RGB (H, W, 3), resized to each size; None: a synthetic one.
        batches: sizes of batches for which the stages of our networks on a GPU are timed too, in all cases.
        progress: told before each case and round.
        on_skip: given a line for each method that is not installed.
        prober, free_mib: time and memory of a first call, and the memory that is free.

    Returns:
        Settings, methods, rows of `counts` and `sizes`, `growth`, `memory`, `left_out`, `skipped`, and with `batches` those of
        `stages.time_stages`; times in seconds.

    Raises:
        UsageError: an unknown method, or a number that is out of range.
        ImageError: an image above 67 megapixels.
        DeviceError: no method is installed.
        ModelError: weights cannot be used.
    """
    if repeats < LEAST or not budget > 0:
        raise UsageError(f"repeats={repeats} and budget={budget:g} s: ask for at least {LEAST} repeats, and more than 0 s")
    by_count = [Case(*COUNTS_SIZE, count) for count in counts]
    by_size = sorted((case_of_size(*size) for size in sizes), key=lambda case: case.pixels)
    for case in (*by_count, *by_size):
        check_size(case.height, case.width, most=MAX_DECODED_PIXELS)
        if case.n_segments < 4 or case.n_segments > case.pixels // 4 or min(case.height, case.width) < 16:
            raise UsageError(f"cannot time {case}: choose images of at least 16x16 pixels, and 4 superpixels to a quarter of the pixels")
    methods, skipped = open_methods(names, options)
    for line in skipped.values():
        on_skip(line)
    picture = synthetic_picture() if picture is None else picture
    run = _Run(options, budget, repeats, picture, methods, progress, prober, free_mib)
    counted, sized = _by_count(run, by_count), _by_size(run, by_size)
    stages: list[Row] = []
    if batches:
        progress("stages on the GPU")
        own = {name: method.segmenter for name, method in methods.items() if isinstance(method, OwnPeer)}
        stages, failures = time_stages(own, [*by_count, *by_size], batches, repeats, picture)
        run.left_out += failures
    return {
        "settings": {
            "device": options.device,
            "threads": options.threads,
            "repeats": repeats,
            "budget_s": budget,
            "warm_up_rounds": WARM_UP,
            "pause_s": PAUSE,
            "image_sha256": hashlib.sha256(picture.tobytes()).hexdigest(),
        },
        "methods": {name: {"parameters": dict(method.parameters), "trained": method.trained} for name, method in methods.items()},
        "counts": counted,
        "sizes": sized,
        "stages": stages,
        "growth": growth(sized),
        "memory": run.memory,
        "left_out": run.left_out,
        "skipped": skipped,
    }


def overview(result: Mapping[str, Any]) -> list[Row]:
    """A flat row per method and case, for people: times in ms."""
    return [
        {
            "method": row["method"],
            "image": f"{row['width']}x{row['height']}",
            "superpixels": row["superpixels"],
            "median_ms": 1e3 * row["seconds"]["median"],
            "p95_ms": 1e3 * row["seconds"]["p95"],
            **{f"/ {name}": row["ratio"].get(name) for name in REFERENCES},
        }
        for row in (*result["counts"], *result["sizes"])
    ]


def growth(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """By method with two sizes or more: `exponent` p of time ~ pixels^p, and `points`, the sizes in the fit."""
    fits = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        pixels = np.log([row["height"] * row["width"] for row in own])
        if len(set(pixels)) > 1:
            slope = np.polyfit(pixels, np.log([row["seconds"]["median"] for row in own]), 1)[0]
            fits[method] = {"exponent": float(slope), "points": len(own)}
    return fits


def reference_of(reference: str, name: str, methods: Iterable[str], options: Options) -> str | None:
    """Which of `methods` is the `reference` that `name` is compared with: on the same engine, else on the same kind of device."""
    peers = [other for other in methods if other.partition("@")[0] == reference]
    same_kind = [other for other in peers if on_gpu(other, options) == on_gpu(name, options)]
    same_engine = f"{reference}@{name.partition('@')[2]}"
    return same_engine if same_engine in same_kind else min(same_kind, key=len, default=None)


def _by_count(run: _Run, cases: Sequence[Case]) -> list[Row]:
    """One probe for all counts, at the middle one: the image is the same."""
    if not cases:
        return []
    middle = sorted(cases, key=lambda case: case.n_segments)[len(cases) // 2]
    first_call = _probe_all(run, run.methods, middle)
    return [row for case in cases for row in _time(run, case, first_call)]


def _by_size(run: _Run, cases: Sequence[Case]) -> list[Row]:
    rows = []
    for case in cases:
        possible = []
        for name in run.methods:
            reason = _too_much(run, name, case)
            if reason is None:
                possible.append(name)
            else:
                run.leave_out(name, case, reason)
        rows += _time(run, case, _probe_all(run, possible, case))
    return rows


def _too_much(run: _Run, name: str, case: Case) -> str | None:
    """Why a larger case is not even tried: judged by the last one that was, time and memory taken to grow with the pixels."""
    if any(row["method"] == name and row["height"] * row["width"] <= case.pixels for row in run.left_out):
        return "left out at a smaller size already"
    last = next((row for row in reversed(run.memory) if row["method"] == name), None)
    if last is None:
        return None
    larger = case.pixels / (last["height"] * last["width"])
    if last["seconds"] * larger > run.budget:
        return f"a call would take about {last['seconds'] * larger:.0f} s, over the budget of {run.budget:g} s"
    free = run.free_mib()
    if free is None or last["peak_mib"] is None or last["loaded_mib"] is None:
        return None
    needed = (last["peak_mib"] - last["loaded_mib"]) * larger
    return f"it would take about {needed / 1024:.0f} GiB of memory; {free / 1024:.0f} are free" if needed > MEMORY_SHARE * free else None


def _probe_all(run: _Run, names: Iterable[str], case: Case) -> dict[str, float]:
    """Seconds of a first call, of the methods that can run the case."""
    seconds = {}
    for name in names:
        run.progress(f"{name}: memory at {case}")
        try:
            found = run.prober(name, run.options, case.picture(run.picture), case.n_segments)
        except AINetError as error:
            run.leave_out(name, case, str(error))
            continue
        run.memory.append({"method": name, **asdict(case), **asdict(found)})
        if found.seconds > run.budget:
            run.leave_out(name, case, f"a call takes {found.seconds:.0f} s, over the budget of {run.budget:g} s")
        else:
            seconds[name] = found.seconds
    return seconds


def _time(run: _Run, case: Case, first_call: Mapping[str, float]) -> list[Row]:
    """A row per method of a case."""
    image = case.picture(run.picture)
    repeats = {name: min(run.repeats, max(LEAST, int(run.budget / seconds))) for name, seconds in first_call.items()}
    stages: dict[str, list[dict[str, float]]] = {name: [] for name in repeats}
    superpixels: dict[str, int] = {}

    def call(name: str) -> None:
        watch = Stages()
        superpixels[name] = int(run.methods[name](image, case.n_segments, watch).max()) + 1
        stages[name].append(watch.seconds)

    def failed(name: str, error: Exception) -> None:  # of whatever library the method is from, such as for lack of memory
        run.leave_out(name, case, str(error) if isinstance(error, AINetError) else f"{type(error).__name__}: {error}")

    times = alternate(
        {name: partial(call, name) for name in repeats},
        repeats,
        warm_up=WARM_UP,
        pause=PAUSE,
        on_round=lambda number: run.progress(f"{case}: round {number} of {max(repeats.values(), default=0)}"),
        on_failure=failed,
    )
    return [
        {
            "method": name,
            **asdict(case),
            "superpixels": superpixels[name],
            "repeats": repeats[name],
            "seconds": {"median": own.median, "p95": own.p95},
            "stages": _medians(stages[name][WARM_UP:]),
            "ratio": _ratios(name, times, run.options),
        }
        for name, own in times.items()
    ]


def _medians(calls: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each stage the median over the calls."""
    return {stage: float(np.median([call[stage] for call in calls])) for stage in calls[0]}


def _ratios(name: str, times: Mapping[str, Times], options: Options) -> dict[str, float]:
    found = {reference: reference_of(reference, name, times, options) for reference in REFERENCES}
    return {reference: times[name].ratio_to(times[other]) for reference, other in found.items() if other is not None}
