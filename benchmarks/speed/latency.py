"""How long methods take, over the number of superpixels and over the size of the image, all in one run.

    result = run_latency(["ainet", "scn", "ssn"], threads=2, progress=print)

**How it is measured.** Before anything is timed, each method is called once in a fresh process (`probe`), which gives its memory, and says
whether the case is too slow or too large; then it is left out, with the reason. All others are open in one process and take turns: round
after round, each segments the same image, with a pause before it so that the threads of the one before it have gone to rest. So what
disturbs one disturbs all, and ratios, which are medians of the ratios within the rounds, hold on a busy machine too. The first rounds are
not counted. A method takes part in as many rounds as `budget` allows it, at least 3. With few repeats p99 is not far from the maximum.

**Stages** are those of `peers`: network (with the preparation of its input), assignment, connectivity; each ends synchronised with its
device. The time of a call is their sum.

**A run that was interrupted** goes on after the last case that was finished, from the file `keep`.

**Growth** is the slope of log median time over log pixels, by least squares over the sizes.
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import Method, Options, Stages, on_gpu, open_methods
from ainet.benchmarks.speed.cases import COUNTS, COUNTS_SIZE, SIZES, Case, case_of_size, synthetic_picture
from ainet.benchmarks.speed.machine import machine, versions
from ainet.benchmarks.speed.probe import available_mib, probe
from ainet.errors import AINetError, UsageError
from ainet.files import write_json
from ainet.images import check_size

REFERENCES = ("scn", "ssn")
PAUSE = 0.03  # seconds
WARM_UP = 2  # rounds
LEAST = 3  # repeats
DEFAULTS = Options()
MEMORY_SHARE = 0.8  # of what is free


@dataclass
class _Kept:
    """What has been measured, in the file `path` after every case; `finished`: the cases."""

    path: Path | None
    about: dict[str, Any]
    finished: list[str] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[dict[str, Any]] = field(default_factory=list)
    memory: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def open(cls, path: Path | None, about: dict[str, Any]) -> "_Kept":
        """What an equal run has left at `path`, else nothing."""
        about = json.loads(json.dumps(about))
        if path is not None and path.is_file():
            try:
                found = cls(path, **json.loads(path.read_text()))
            except (ValueError, TypeError) as error:
                raise UsageError(f"{path} is damaged ({error}); remove it, and measure again") from error
            if found.about == about:
                return found
        return cls(path, about)

    def finish(self, case: Case) -> None:
        self.finished.append(str(case))
        if self.path is not None:
            write_json(self.path, {key: value for key, value in vars(self).items() if key != "path"})


@dataclass
class _Run:
    options: Options
    budget: float
    repeats: int
    picture: NDArray[np.uint8]
    methods: dict[str, Method]
    progress: Callable[[str], None]
    kept: "_Kept"


def run_latency(
    names: Sequence[str],
    counts: Sequence[int] = COUNTS,
    sizes: Sequence[tuple[int, int]] = tuple(SIZES.values()),
    options: Options = DEFAULTS,
    repeats: int = 30,
    budget: float = 30.0,
    picture: NDArray[np.uint8] | None = None,
    progress: Callable[[str], None] = lambda line: None,
    on_skip: Callable[[str], None] = lambda line: None,
    keep: Path | None = None,
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
        progress: told before each case.
        on_skip: given a line for each method that is not installed.
        keep: file for what is finished; an equal run goes on from it. It is removed at the end.

    Returns:
        What goes into the JSON file: settings, methods, rows of `counts` and `sizes`, `growth`, `memory`, `left_out`, `skipped`,
        versions and machine; times in seconds.

    Raises:
        UsageError: an unknown method, or a number that is out of range.
        ImageError: an image above 67 megapixels.
        DeviceError: no method is installed.
        ModelError: weights cannot be used.
    """
    if repeats < LEAST or not budget > 0:
        raise UsageError(f"repeats={repeats} and budget={budget:g} s: ask for at least {LEAST} repeats, and more than 0 s")
    for case in (*(Case(*COUNTS_SIZE, count) for count in counts), *(case_of_size(*size) for size in sizes)):
        check_size(case.height, case.width)
        if case.n_segments < 4 or case.n_segments > case.pixels // 4 or min(case.height, case.width) < 16:
            raise UsageError(f"cannot time {case}: choose images of 16 pixels a side or more, and 4 superpixels to a quarter of the pixels")
    methods, skipped = open_methods(names, options)
    for line in skipped.values():
        on_skip(line)
    picture = synthetic_picture() if picture is None else picture
    about = {
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
        "versions": versions(),
        "machine": machine(),
    }
    kept = _Kept.open(keep, about)
    run = _Run(options, budget, repeats, picture, methods, progress, kept)
    _by_count(run, counts)
    _by_size(run, sizes)
    if keep is not None:
        keep.unlink(missing_ok=True)
    rows = {"counts": kept.counts, "sizes": kept.sizes, "growth": growth(kept.sizes), "memory": kept.memory, "left_out": kept.left_out}
    return {"benchmark": "latency", **about, **rows, "skipped": skipped}


def growth(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """By method with two sizes or more: `exponent` p of time ~ pixels^p, and `points`, the sizes in the fit."""
    fits = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        pixels = np.log([row["height"] * row["width"] for row in own])
        if len(set(pixels)) > 1:
            slope = np.polyfit(pixels, np.log([row["seconds"]["median"] for row in own]), 1)[0]
            fits[method] = {"exponent": float(slope), "points": len(own)}
    return fits


# --- cases -----------------------------------------------------------------------------------------------------------------------


def _by_count(run: _Run, counts: Sequence[int]) -> None:
    """One probe for all counts, at the middle one: the image is the same."""
    todo = [case for count in counts if str(case := Case(*COUNTS_SIZE, count)) not in run.kept.finished]
    if not todo:
        return
    middle = Case(*COUNTS_SIZE, sorted(counts)[len(counts) // 2])
    seconds = {name: found for name in run.methods if (found := _probe_seconds(run, name, middle)) is not None}
    for case in todo:
        run.kept.counts += _measure(run, case, seconds)
        run.kept.finish(case)


def _by_size(run: _Run, sizes: Sequence[tuple[int, int]]) -> None:
    for case in sorted((case_of_size(*size) for size in sizes), key=lambda case: case.pixels):
        if str(case) in run.kept.finished:
            continue
        seconds = {}
        for name in run.methods:
            if reason := _too_much(run, name, case):
                _leave_out(run, name, case, reason)
            elif (found := _probe_seconds(run, name, case)) is not None:
                seconds[name] = found
        run.kept.sizes += _measure(run, case, seconds)
        run.kept.finish(case)


def _too_much(run: _Run, name: str, case: Case) -> str | None:
    """Why a larger case is not even tried: judged by the last one that was, time and memory taken to grow with the pixels."""
    tried = [row for row in run.kept.memory if row["method"] == name]
    if any(row["method"] == name and row["height"] * row["width"] <= case.pixels for row in run.kept.left_out):
        return "left out at a smaller size already"
    if not tried:
        return None
    last = tried[-1]
    growth = case.pixels / (last["height"] * last["width"])
    if last["seconds"] * growth > run.budget:
        return f"a call would take about {last['seconds'] * growth:.0f} s, over the budget of {run.budget:g} s"
    free = available_mib()
    if free is None or last["peak_mib"] is None or last["loaded_mib"] is None:
        return None
    needed = (last["peak_mib"] - last["loaded_mib"]) * growth
    return f"it would take about {needed / 1024:.0f} GiB of memory; {free / 1024:.0f} are free" if needed > MEMORY_SHARE * free else None


def _probe_seconds(run: _Run, name: str, case: Case) -> float | None:
    """Seconds of a first call; None where the method is left out."""
    if tried := [row for row in run.kept.memory if row["method"] == name and {**row, **asdict(case)} == row]:
        return tried[0]["seconds"] if tried[0]["seconds"] <= run.budget else None  # by the run that was interrupted
    run.progress(f"{name}: memory at {case}")
    try:
        found = probe(name, run.options, case.picture(run.picture), case.n_segments)
    except AINetError as error:
        _leave_out(run, name, case, str(error))
        return None
    run.kept.memory.append({"method": name, **asdict(case), **asdict(found)})
    if found.seconds > run.budget:
        _leave_out(run, name, case, f"a call takes {found.seconds:.0f} s, over the budget of {run.budget:g} s")
        return None
    return found.seconds


def _leave_out(run: _Run, name: str, case: Case, reason: str) -> None:
    run.kept.left_out.append({"method": name, **asdict(case), "reason": reason})


# --- rounds ----------------------------------------------------------------------------------------------------------------------


def _measure(run: _Run, case: Case, first_call: dict[str, float]) -> list[dict[str, Any]]:
    """A row per method of a case."""
    image = case.picture(run.picture)
    repeats = {name: min(run.repeats, max(LEAST, int(run.budget / seconds))) for name, seconds in first_call.items()}
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in repeats}
    superpixels: dict[str, int] = {}
    last = max(repeats.values(), default=0)
    for number in range(-WARM_UP if last else 0, last):
        run.progress(f"{case}: round {max(0, number + 1)} of {last}")
        for name in [name for name in rounds if number < repeats[name]]:
            stages = Stages()
            time.sleep(PAUSE)
            try:
                superpixels[name] = int(run.methods[name](image, case.n_segments, stages).max()) + 1
            except Exception as error:  # of whatever library the method is from, such as for lack of memory
                _leave_out(run, name, case, str(error) if isinstance(error, AINetError) else f"{type(error).__name__}: {error}")
                del rounds[name]
                continue
            if number >= 0:
                rounds[name].append(stages.seconds)
    totals = {name: np.array([sum(stages.values()) for stages in own]) for name, own in rounds.items()}
    return [
        {
            "method": name,
            **asdict(case),
            "superpixels": superpixels[name],
            "repeats": repeats[name],
            "seconds": dict(zip(("median", "p95", "p99"), np.percentile(totals[name], (50, 95, 99)).tolist(), strict=True)),
            "stages": {stage: float(np.median([one[stage] for one in rounds[name]])) for stage in rounds[name][0]},
            "ratio": _ratios(name, totals, run.options),
        }
        for name in rounds
    ]


def _ratios(name: str, totals: dict[str, NDArray[np.float64]], options: Options) -> dict[str, float]:
    """Median ratio of times within the rounds, to each reference on the same engine, else on the same kind of device."""
    ratios = {}
    for reference in REFERENCES:
        same_engine = f"{reference}@{name.partition('@')[2]}"
        peers = [other for other in totals if other.partition("@")[0] == reference]
        same_kind = [other for other in peers if on_gpu(other, options) == on_gpu(name, options)]
        other = same_engine if same_engine in same_kind else min(same_kind, key=len, default=None)
        if other is not None:
            shared = min(len(totals[other]), len(totals[name]))
            ratios[reference] = float(np.median(totals[name][:shared] / totals[other][:shared]))
    return ratios
