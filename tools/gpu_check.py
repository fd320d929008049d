"""Run everything that needs an NVIDIA GPU, by the very commands that users run; see docs/gpu-check.md.

    python tools/gpu_check.py --out gpu-check --bsds BSDS500/data

Every command runs in a process group of its own and has its own time limit. After each one `steps.json` holds what is known so far,
and `log.txt` what the commands printed. A command that fails, hangs or is missing costs the others nothing.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "gpu-check"  # where --install puts the package
GRACE = 5.0  # seconds that a command has to end by itself once its time is up
TOTAL = 540.0
SMALL_MAPS = "spiral or nested or noise or blocks"  # under compute-sanitizer all is far slower


@dataclass(frozen=True)
class Step:
    """A command and its time limit in seconds; `{seconds}` in the command becomes the time that it has.

    skip: why it cannot run here. keep: a file that it leaves, to be copied into the folder of results.
    """

    name: str
    command: tuple[str, ...]
    limit: float
    skip: str = ""
    keep: Path | None = None


@dataclass(frozen=True)
class Row:
    """What became of a step: "passed", "failed", "out of time", "missing", "skipped", "running" or "waiting"; and what there is to say."""

    step: str
    command: str
    status: str = "waiting"
    seconds: float = 0.0
    remark: str = ""


def check_steps(out: Path, work: Path, bsds: Path | None, install: bool) -> list[Step]:
    """The steps of the check, the most telling ones first. `out`: for results, `work`: for what is not kept."""
    python = (sys.executable, "-P", "-m")
    ainet, pytest = (*python, "ainet"), (*python, "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider")
    pip = (*python, "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--upgrade", "--target", str(SITE))
    sanitizer = ("env", "AINET_TEST_FEW_SIZES=1", "compute-sanitizer", "--report-api-errors", "no", "--target-processes", "all")
    sanitizer = (*sanitizer, "--error-exitcode", "9", "--tool")
    names = (
        "ainet@torch:cuda",
        "ainet@torch:cuda+fp16",
        "ainet-lite@torch:cuda+fp16",
        "scn@torch:cuda+fp16",
        "ainet@cuda",
        "ainet@tensorrt",
    )
    methods = [word for name in names for word in ("--method", name)]
    latency = (*ainet, "bench", "latency", *methods, "--image", "examples/photos/coffee.jpg", "--budget", "5")
    parity = ("examples/photos", "--limit", "3") if bsds is None else (str(bsds / "images/val"), "--bsds", str(bsds), "--limit", "25")
    speed = () if bsds is None else ("--bsds", str(bsds))
    train = (*ainet, "train", "ainet", "--recipe", "full", "--bsds", str(bsds), "--weights", "ainet/weights/ainet.safetensors")
    no_data = "" if bsds else "nothing to train on: name BSDS500 with --bsds FOLDER"
    return [
        Step("device", ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"), 20),
        Step("package", (*pip, str(ROOT)), 150, "" if install else "not asked for (--install): the installed package is taken"),
        Step("versions", (*ainet, "doctor"), 60),
        Step("kernels", (*pytest, "tests/gpu/test_kernels.py"), 100),
        Step(
            "latency 481x321",
            (*latency, "--counts", "600", "--sizes", "none", "--stages", "1", "-o", str(out / "latency_small.json")),
            80,
        ),
        Step("parity", (*ainet, "verify", "ainet/weights/ainet.onnx", "--images", *parity, "--json", str(out / "parity.json")), 60),
        Step(
            "latency",
            (*latency, "--counts", "none", "--sizes", "481x321,vga,1080p", "--stages", "1,8,32", "-o", str(out / "latency.json")),
            110,
        ),
        Step("tests", (*pytest, "tests/gpu", "--ignore", "tests/gpu/test_kernels.py"), 120),
        *(Step(tool, (*sanitizer, tool, *pytest, "-k", SMALL_MAPS, "tests/gpu/test_kernels.py"), 45) for tool in ("racecheck", "memcheck")),
        Step(
            "training speed",
            (*ainet, "bench", "training-speed", "--recipe", "full", "--device", "cuda", *speed, "-o", str(out / "training_speed.json")),
            60,
        ),
        Step(
            "training",
            (*train, "--device", "cuda", "--budget", "{seconds}s", "-o", str(work / "training")),
            TOTAL,
            no_data,
            work / "training" / "weights.safetensors",
        ),
    ]


def run_steps(steps: Sequence[Step], out: Path, total: float = TOTAL, report: Callable[[str], None] = print) -> list[Row]:
    """Run the steps one after the other within `total` seconds, and write `steps.json` and `log.txt` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + total
    rows = [Row(step.name, " ".join(step.command)) for step in steps]
    with (out / "log.txt").open("w") as log:
        for number, step in enumerate(steps):
            rows[number] = replace(rows[number], status="running", remark="ended with the whole check")
            _write(out, rows)
            limit = min(step.limit, end - time.monotonic() - GRACE)
            if step.skip or limit <= 0:
                rows[number] = replace(rows[number], status="skipped", remark=step.skip or f"the {total:.0f} s were over")
            else:
                rows[number] = _run(step, rows[number], limit, log)
            if step.keep is not None and step.keep.is_file():
                shutil.copy(step.keep, out)
            _write(out, rows)
            row = rows[number]
            report(f"{row.step:<16} {row.status:<12} {row.seconds:6.1f} s  {row.remark}")
    return rows


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


def main() -> int:
    parser = argparse.ArgumentParser(description="Run everything that needs an NVIDIA GPU, by the commands that users run.")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder for the results")
    parser.add_argument("--seconds", type=float, default=TOTAL, help="for everything")
    parser.add_argument("--bsds", type=Path, help="BSDS500's folder with images/ and groundTruth/")
    parser.add_argument("--install", action="store_true", help="first build the package into build/gpu-check, without a network")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the command that runs, too
    out = arguments.out.resolve()
    if arguments.install:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))
    bsds = None if arguments.bsds is None else arguments.bsds.resolve()
    rows = run_steps(check_steps(out, SITE.with_name("gpu-check-work"), bsds, arguments.install), out, arguments.seconds)
    return 0 if all(row.status in ("passed", "skipped") for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
