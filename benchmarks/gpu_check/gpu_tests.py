"""The tests for a GPU, and a part of them under compute-sanitizer, as sections."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from ainet.benchmarks.gpu_check.section import Context, OutOfTimeError, Result, SkippedError

KERNELS = "test_kernels.py"
SANITIZERS = ("racecheck", "memcheck")  # races first: no other check finds them
# Under the tool all is far slower, so small maps alone, with few sizes of components (by the variable).
SANITIZED = "spiral or nested or noise or blocks or ids or assign or (resize_equals and size1)"
FEW_SIZES = "AINET_TEST_FEW_SIZES=1"
GRACE = 3.0  # seconds before the end of the section's time, for tests that are interrupted then to report and end


def kernels(context: Context) -> Iterator[Result]:
    """Kernels against their twins on the CPU: all reference vectors (with AINET_TEST_DATA), random and adversarial maps."""
    return _pytest(context, [_folder(context) / KERNELS])


def others(context: Context) -> Iterator[Result]:
    """All other tests for a GPU."""
    return _pytest(context, [path for path in sorted(_folder(context).glob("test_*.py")) if path.name != KERNELS])


def sanitizer(context: Context) -> Iterator[Result]:
    """compute-sanitizer on the kernels: races in shared memory, and bad accesses. Each tool has its part of the time."""
    program = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
    if program is None:
        raise SkippedError("compute-sanitizer is not there; it comes with the CUDA toolkit")
    result: Result = {"tools": {}, "failures": []}
    late = False
    for number, tool in enumerate(SANITIZERS):
        context.check_time()
        command = ["env", FEW_SIZES, program, "--tool", tool, "--target-processes", "all", "--error-exitcode", "9", *_command()]
        path = context.work / f"{tool}.txt"
        with path.open("w") as log:
            seconds = context.seconds_left() / (len(SANITIZERS) - number)
            ended = _run([*command, "-k", SANITIZED, _folder(context) / KERNELS], context, seconds, log)
        output = path.read_text(errors="replace")
        print(output, flush=True)
        errors, passed = count_errors(output), re.search(r"(\d+) passed", output)
        result["tools"][tool] = {"errors": errors, "tests": int(passed[1]) if passed else 0, "ended": ended}
        if errors or (ended and (errors is None or not passed)):
            result["failures"].append(f"{tool}: {'no summary' if errors is None else f'{errors} errors'}")
        late = late or not ended
        yield result
    if late:
        raise OutOfTimeError


def count_errors(output: str) -> int | None:
    """Errors in compute-sanitizer's summary, of all processes; None if there is none."""
    found = re.findall(r"(?:ERROR SUMMARY: |RACECHECK SUMMARY: )(\d+)", output)
    return sum(map(int, found)) if found else None


def read_report(path: Path) -> Result:
    """A JUnit report of pytest: counts, names of failed tests, reasons of skipped ones, and what tests recorded, by test."""
    suite = ElementTree.parse(path).getroot()
    ended = sum(int(one.get("tests", "0")) for one in suite.iter("testsuite"))
    cases = list(suite.iter("testcase"))[:ended]  # one that was interrupted comes last, without a result
    failed = [case.get("name", "") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skips = [(case.get("name", ""), skip.get("message", "")) for case in cases if (skip := case.find("skipped")) is not None]
    recorded = {
        case.get("name", ""): {entry.get("name", ""): int(entry.get("value", "")) for entry in case.iter("property")}
        for case in cases
        if case.find("properties") is not None
    }
    return {
        "tests": len(cases),
        "passed": len(cases) - len(failed) - len(skips),
        "failures": failed,
        "skipped": dict(skips),
        "recorded": recorded,
    }


def _pytest(context: Context, files: Sequence[Path]) -> Iterator[Result]:
    report = context.work / "junit.xml"
    report.unlink(missing_ok=True)
    ended = _run([*_command(), f"--junitxml={report}", *files], context, context.seconds_left())
    if report.is_file():
        result = read_report(report)
        if ended and result["passed"] == 0:
            result["failures"].append("no test ran to its end")
        yield result
    if not ended:
        raise OutOfTimeError
    if not report.is_file():
        raise RuntimeError("pytest gave no report; see log.txt")


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"]


def _run(command: Sequence[str | Path], context: Context, seconds: float, log: IO[str] | None = None) -> bool:
    """Run tests, whose output goes to `log` or where this process's goes. Whether they ended by themselves, within `seconds`.

    Else they are interrupted: pytest then reports what has run. A group of their own lets the signal reach pytest under a tool too.
    """
    process = subprocess.Popen(command, cwd=context.source, stdout=log, stderr=log, process_group=0)
    ended = True
    try:
        process.wait(max(1.0, seconds - GRACE))
    except subprocess.TimeoutExpired:
        ended = False
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return ended


def _folder(context: Context) -> Path:
    return context.source / "tests" / "gpu"
