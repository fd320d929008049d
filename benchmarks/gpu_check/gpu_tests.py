"""The tests for a GPU, and a part of them under compute-sanitizer, as sections."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from ainet.benchmarks.gpu_check.section import Context, OutOfTimeError, Result, SkippedError

KERNELS = "test_kernels.py"
SANITIZERS = ("memcheck", "racecheck")
SANITIZED = (
    "spiral or nested or noise or blocks or ids or assign or (resize_equals and size1)"  # small maps: under the tool all is far slower
)


def kernels(context: Context) -> Iterator[Result]:
    """Kernels against their twins on the CPU: all reference vectors (with AINET_TEST_DATA), random and adversarial maps."""
    yield _pytest(context, [_folder(context) / KERNELS])


def others(context: Context) -> Iterator[Result]:
    """All other tests for a GPU."""
    yield _pytest(context, [path for path in sorted(_folder(context).glob("test_*.py")) if path.name != KERNELS])


def sanitizer(context: Context) -> Iterator[Result]:
    """compute-sanitizer on the kernels: bad accesses of memory, and races in shared memory."""
    program = shutil.which("compute-sanitizer") or shutil.which("/usr/local/cuda/bin/compute-sanitizer")
    if program is None:
        raise SkippedError("compute-sanitizer is not there; it comes with the CUDA toolkit")
    result: Result = {"tools": {}, "failures": []}
    for tool in SANITIZERS:
        context.check_time()
        command = [program, "--tool", tool, "--target-processes", "all", "--error-exitcode", "9", *_command()]
        output = _output([*command, "-k", SANITIZED, _folder(context) / KERNELS], context)
        print(output, flush=True)
        errors, passed = count_errors(output), re.search(r"(\d+) passed", output)
        result["tools"][tool] = {"errors": errors, "tests": int(passed[1]) if passed else 0}
        if errors != 0 or not passed:
            result["failures"].append(f"{tool}: {'no summary' if errors is None else f'{errors} errors'}")
        yield result


def count_errors(output: str) -> int | None:
    """Errors in compute-sanitizer's summary, of all processes; None if there is none."""
    found = re.findall(r"(?:ERROR SUMMARY: |RACECHECK SUMMARY: )(\d+)", output)
    return sum(map(int, found)) if found else None


def read_report(path: Path) -> Result:
    """A JUnit report of pytest: counts, names of failed tests, reasons of skipped ones, and what tests recorded, by test."""
    suite = ElementTree.parse(path).getroot()
    cases = list(suite.iter("testcase"))
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


def _pytest(context: Context, files: Sequence[Path]) -> Result:
    report = context.work / "junit.xml"
    print(_output([*_command(), f"--junitxml={report}", *files], context), flush=True)
    if not report.is_file():
        raise RuntimeError("pytest gave no report; see log.txt")
    result = read_report(report)
    report.unlink()
    if result["passed"] == 0:
        result["failures"].append("no test ran to its end")
    return result


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"]


def _output(command: Sequence[str | Path], context: Context) -> str:
    """What a command prints. At the end of the section's time it is interrupted, so that pytest can still report."""
    process = subprocess.Popen(command, cwd=context.source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        return process.communicate(timeout=max(1.0, context.seconds_left()))[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        print(process.communicate()[0], flush=True)
        raise OutOfTimeError from None


def _folder(context: Context) -> Path:
    return context.source / "tests" / "gpu"
