"""Runs the sections one after the other, each in a process of its own and within its time, and keeps the results."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ainet.benchmarks.gpu_check.section import Section
from ainet.files import write_json

HERE = "ainet.benchmarks.gpu_check"
SECTIONS = (
    Section("machine", f"{HERE}.machine:run", 0.06, needs_gpu=False),
    Section("floor", f"{HERE}.floor:run", 0.06),
    Section("kernels", f"{HERE}.gpu_tests:kernels", 0.12),
    Section("engines", f"{HERE}.engines:run", 0.13, needs_gpu=False),
    Section("latency", f"{HERE}.latency:run", 0.24),
    Section("parity", f"{HERE}.parity:run", 0.10),
    Section("tests", f"{HERE}.gpu_tests:others", 0.06),
    Section("sanitizer", f"{HERE}.gpu_tests:sanitizer", 0.06),
    Section("training", f"{HERE}.training:run", 0.11),
    Section("latency, compiled", f"{HERE}.latency:run_compiled", 0.06),  # compilers take what time is left
)
SOFT = 0.9  # of a section's time: when it should stop by itself; at 1 it is ended


def run_sections(
    sections: Sequence[Section],
    out: Path,
    source: Path,
    bsds: Path | None,
    budget: float,
    build_seconds: float | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run all sections within `budget` seconds; the result, which is also in `out`/gpu_check.json, up to date after every section.

    The first section tells of the GPU (`gpu` of its result); where there is none, those that need one are skipped. What the
    processes print goes to `out`/log.txt. build_seconds: what installing took before, for the result.

    Raises:
        OutputError: a file cannot be written.
    """
    start = time.monotonic()
    total = sum(section.share for section in sections)
    records: dict[str, Any] = {}
    result = {
        "benchmark": "gpu_check",
        "budget_s": budget,
        "seconds": 0.0,
        "build_seconds": build_seconds,
        "sections": records,
    }
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, (out / "log.txt").open("w") as log:
        end, no_gpu = start, None
        for section in sections:
            end += budget * section.share / total
            began = time.monotonic()
            if section.needs_gpu and no_gpu is not None:
                record = _record("skipped", f"no GPU: {no_gpu}")
            elif end - began <= 0:
                record = _record("out of time", "earlier sections took its time")
            else:
                progress(f"{section.name}: up to {end - began:.0f} s")
                print(f"\n=== {section.name}", file=log, flush=True)
                context = {"source": str(source), "work": work, "bsds": None if bsds is None else str(bsds)}
                record = _run(section.target, Path(work) / "result.json", context, end - began, log)
            if not records and not record["result"].get("gpu"):
                no_gpu = record["result"].get("reason") or record["error"]
            records[section.name] = {**record, "seconds": time.monotonic() - began}
            progress(f"{section.name}: {record['status']}" + (f" ({record['error']})" if record["error"] else ""))
            result["seconds"] = time.monotonic() - start
            write_json(out / "gpu_check.json", result)
    return result


def succeeded(result: Mapping[str, Any]) -> bool:
    """Whether there is a GPU, and no section has failed or run out of time."""
    records = list(result["sections"].values())
    return bool(records[0]["result"].get("gpu")) and all(record["status"] in ("passed", "skipped") for record in records)


def _run(target: str, path: Path, context: dict[str, Any], seconds: float, log: Any) -> dict[str, Any]:
    path.unlink(missing_ok=True)
    fields = json.dumps({**context, "seconds": SOFT * seconds})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", f"{HERE}.worker", target, str(path), fields],
        cwd=context["source"],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that it and all that it starts can be ended
    )
    late = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    record = json.loads(path.read_text()) if path.is_file() else _record("running", None)
    if record["status"] != "running":
        return dict(record)
    if late:
        return {**record, "status": "out of time", "error": "it was ended at its deadline"}
    return {**record, "status": "failed", "error": f"its process died ({_cause(process.returncode)}); see log.txt"}


def _cause(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _record(status: str, error: str | None) -> dict[str, Any]:
    return {"status": status, "error": error, "result": {}}
