"""Run everything that needs an NVIDIA GPU, by the very commands that users run; see docs/gpu-check.md.

    python tools/gpu_check.py --out gpu-check --bsds BSDS500/data

Every command runs in a process group of its own and has its own time limit. After each one `steps.json` holds what is known so far, with
the figures that the command wrote, and `log.txt` what it printed. A command that fails, hangs or is missing costs the others nothing.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "gpu-check"  # where --install puts the package
GRACE = 5.0  # seconds that a command has to end by itself once its time is up
TOTAL = 540.0
TRAINING = 0.4  # of the time, that the steps before leave to training
SMALL_MAPS = "spiral or nested or noise or blocks"  # under compute-sanitizer all is far slower


@dataclass(frozen=True)
class Step:
    """A command and its time limit in seconds; `{seconds}` in the command becomes the time that it has.

    skip: why it cannot run here. note: what else its row shall say. needs: files without which it would fail.
    share: of the whole time, that earlier steps leave to it. result: a JSON file that it writes, for its row.
    keep: files that it leaves, for the folder of results.
    """

    name: str
    command: tuple[str, ...]
    limit: float
    skip: str = ""
    note: str = ""
    needs: tuple[Path, ...] = ()
    share: float = 0.0
    result: Path | None = None
    keep: tuple[Path, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Names of the needed files that are not there."""
        return [os.path.relpath(path, ROOT) for path in self.needs if not path.exists()]


@dataclass(frozen=True)
class Row:
    """What became of a step: "passed", "failed", "out of time", "missing", "skipped", "running" or "waiting"; and what there is to say.

    result: what the command wrote as JSON, if it did.
    """

    step: str
    command: str
    status: str = "waiting"
    seconds: float = 0.0
    remark: str = ""
    result: Any = None


def check_steps(work: Path, bsds: Path | None, no_install: str) -> list[Step]:
    """The steps of the check, the most telling ones first. `work`: for what they write. `no_install`: why no package is to be built."""
    python = (sys.executable, "-P", "-m")
    ainet = (*python, "ainet")
    pytest = (*python, "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider")
    pip = (*python, "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--upgrade", "--target", str(SITE))
    few_sizes = ("env", "AINET_TEST_FEW_SIZES=1")
    sanitizer = (*few_sizes, "compute-sanitizer", "--report-api-errors", "no", "--target-processes", "all", "--error-exitcode", "9")
    no_sanitizer = "" if shutil.which("compute-sanitizer") else "compute-sanitizer, of the CUDA toolkit, is not installed"
    names = (
        "ainet@torch:cuda",
        "ainet@torch:cuda+fp16",
        "ainet-lite@torch:cuda+fp16",
        "scn@torch:cuda+fp16",
        "ainet@cuda",
    )
    methods = [word for name in names for word in ("--method", name)]
    latency = (*ainet, "bench", "latency", *methods, "--image", "examples/photos/coffee.jpg", "--budget", "5")
    parity = ("examples/photos", "--limit", "3") if bsds is None else (str(bsds / "images/val"), "--bsds", str(bsds), "--limit", "25")
    speed = () if bsds is None else ("--bsds", str(bsds))
    train = (*ainet, "train", "ainet", "--recipe", "gpu", "--bsds", str(bsds), "--weights", "ainet", "--device", "cuda")
    no_data = "" if bsds else "nothing to train on: name BSDS500 with --bsds FOLDER"
    weights = ROOT / "ainet" / "weights"
    model = (weights / "ainet.onnx", weights / "ainet.safetensors")
    networks = (*model, weights / "ainet-lite.safetensors", weights / "scn.safetensors", ROOT / "examples/photos/coffee.jpg")
    small, parity_file, table, training_speed = (work / f"{name}.json" for name in ("latency_small", "parity", "latency", "training_speed"))
    steps = [
        Step("device", ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"), 20),
        Step("package", (*pip, str(ROOT)), 150, no_install),
        Step("versions", (*ainet, "doctor"), 60),
        Step("kernels", (*pytest, "tests/gpu/test_kernels.py"), 100),
        Step(
            "latency 481x321",
            (*latency, "--counts", "600", "--sizes", "none", "--stages", "1", "-o", str(small)),
            80,
            needs=networks,
            result=small,
        ),
        Step(
            "parity",
            (*ainet, "verify", str(model[0]), "--images", *parity, "--json", str(parity_file)),
            60,
            needs=model,
            result=parity_file,
        ),
        Step(
            "latency",
            (*latency, "--counts", "none", "--sizes", "481x321,vga,1080p", "--stages", "1,8,32", "-o", str(table)),
            110,
            needs=networks,
            result=table,
        ),
        Step("tests", (*pytest, "tests/gpu", "--ignore", "tests/gpu/test_kernels.py"), 120),
        *(
            Step(tool, (*sanitizer, "--tool", tool, *pytest, "-k", SMALL_MAPS, "tests/gpu/test_kernels.py"), 45, no_sanitizer)
            for tool in ("racecheck", "memcheck")
        ),
        Step(
            "training speed",
            (*ainet, "bench", "training-speed", "--recipe", "gpu", "--device", "cuda", *speed, "-o", str(training_speed)),
            60,
            needs=model[1:],
            result=training_speed,
        ),
        Step(
            "training",
            (*train, "--within", "{seconds}s", "-o", str(work / "training")),
            TOTAL,
            no_data,
            needs=model[1:],
            share=0.0 if no_data else TRAINING,
            keep=tuple(work / "training" / f"weights{name}.safetensors" for name in ("", "-30", "-50", "-70", "-85")),
        ),
    ]
    left_behind = sorted({name for step in steps for name in step.missing})
    note = f"left behind: {', '.join(left_behind)}" if left_behind else ""
    return [replace(step, note=note) if step.name == "package" else step for step in steps]


def run_steps(steps: Sequence[Step], out: Path, total: float = TOTAL, report: Callable[[str], None] = print) -> list[Row]:
    """Run the steps one after the other within `total` seconds, and write `steps.json` and `log.txt` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + total
    rows = [Row(step.name, " ".join(step.command)) for step in steps]
    with (out / "log.txt").open("w") as log:
        for number, step in enumerate(steps):
            rows[number] = replace(rows[number], status="running", remark="ended with the whole check")
            _write(out, rows)
            left = end - time.monotonic() - total * sum(later.share for later in steps[number + 1 :])
            row = _outcome(step, rows[number], left - GRACE, log)
            rows[number] = row = replace(row, remark="; ".join(filter(None, (row.remark, step.note))))
            for path in step.keep:
                if path.is_file():
                    shutil.copy(path, out)
            _write(out, rows)
            report(f"{row.step:<16} {row.status:<12} {row.seconds:6.1f} s  {row.remark}")
    return rows


def _outcome(step: Step, row: Row, left: float, log: IO[str]) -> Row:
    """Run the step if it can be; `left`: seconds that there are."""
    if step.skip:
        return replace(row, status="skipped", remark=step.skip)
    if step.missing:
        return replace(row, status="missing", remark=f"left behind: {', '.join(step.missing)}")
    if left <= 0:
        return replace(row, status="skipped", remark="there was no time left for it")
    row = _run(step, row, min(step.limit, left), log)
    if step.result is not None:
        with contextlib.suppress(OSError, ValueError):  # not written, or not whole
            return replace(row, result=json.loads(step.result.read_text()))
    return row


def _run(step: Step, row: Row, limit: float, log: IO[str]) -> Row:
    command = [part.replace("{seconds}", str(max(1, int(limit - GRACE)))) for part in step.command]
    print(f"== {step.name}: {' '.join(command)}", file=log, flush=True)
    output_start = log.tell()
    start = time.monotonic()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
    except OSError as error:
        return replace(row, status="missing", remark=f"{command[0]} cannot be run ({error.strerror}); is it installed?")
    status = "passed"
    remark = ""
    try:
        if process.wait(limit):
            status = "failed"
        if process.returncode < 0:
            remark = f"killed by signal {-process.returncode}; "
    except subprocess.TimeoutExpired:
        status, remark = "out of time", f"ended after {limit:.0f} s; "
    finally:
        remark += _last_line(Path(log.name), output_start)
        _end(process)
        log.seek(0, os.SEEK_END)
    if status == "passed" and re.match(r"\d+ skipped", remark):  # pytest's last line, where nothing ran
        status = "skipped"
    return replace(row, status=status, seconds=time.monotonic() - start, remark=remark)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the command and all that it has started."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_line(log: Path, start: int) -> str:
    """What the command said at the end: its last error where there is one, else its last line."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip(" =") for line in file.read().decode(errors="replace").splitlines()]
    lines = [line for line in lines if line]
    told = [line for line in lines if "error:" in line.lower() or "Error: " in line]
    return (told or lines or ["it said nothing"])[-1][:200]


def _write(out: Path, rows: Sequence[Row]) -> None:
    temporary = out / "steps.part"
    temporary.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    temporary.replace(out / "steps.json")


def _package() -> Path | None:
    """Where the package lies that Python would import, if it is a whole one, not the folder of this checkout."""
    found = importlib.util.find_spec("ainet")
    folders = [] if found is None else [Path(folder) for folder in found.submodule_search_locations or ()]
    return next((folder for folder in folders if (folder / "runtime").is_dir()), None)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run everything that needs an NVIDIA GPU, by the commands that users run.")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder for the results")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for everything")
    parser.add_argument("--bsds", type=Path, help="BSDS500's folder with images/ and groundTruth/")
    parser.add_argument("--install", action="store_true", help="first build the package into build/gpu-check, without a network")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the command that runs, too
    no_install = "" if arguments.install else "not asked for (--install): the installed package is taken"
    if arguments.install and (built := _package()) is not None:
        no_install = f"that in {built} is taken"
    if not no_install:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    bsds = None if arguments.bsds is None else arguments.bsds.resolve()
    work = SITE.with_name("gpu-check-work")
    shutil.rmtree(work, ignore_errors=True)  # else an old training would be gone on with, and old figures taken for new ones
    work.mkdir(parents=True)
    try:
        rows = run_steps(check_steps(work, bsds, no_install), arguments.out.resolve(), arguments.seconds)
    except OSError as error:
        said = f"cannot keep results in {arguments.out} ({error.strerror}); what was finished before is in its steps.json"
        print(f"error: {said}", file=sys.stderr)
        return 1
    return 0 if all(row.status in ("passed", "skipped") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
