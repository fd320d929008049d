"""The runner with real processes: deadlines, crashes, failures, and what is kept of them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ainet.benchmarks.gpu_check.runner import SECTIONS, run_sections, succeeded
from ainet.benchmarks.gpu_check.section import Section

FAKES = """
import os, signal, subprocess, sys, time
from ainet.benchmarks.gpu_check.section import SkippedError

def with_gpu(context):
    yield {"gpu": "sm90", "reason": None}

def without_gpu(context):
    yield {"gpu": None, "reason": "no driver"}

def good(context):
    (context.work / "shared").write_text("left by good")
    yield {"rows": [1]}
    yield {"rows": [1, 2], "failures": []}

def reads(context):
    yield {"found": (context.work / "shared").read_text(), "source": str(context.source), "bsds": str(context.bsds)}

def bad(context):
    yield {"rows": [1], "failures": ["row 1 is bad"]}

def raises(context):
    yield {"rows": [1]}
    raise ValueError("the second row\\nand a trace")

def skips(context):
    raise SkippedError("no such tool")
    yield

def crashes(context):
    yield {"rows": [1]}
    os.kill(os.getpid(), signal.SIGSEGV)

def patient(context):
    for row in range(10_000):
        context.check_time()
        yield {"rows": row}
        time.sleep(0.01)

def hangs(context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield {"child": child.pid}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def last(context):
    yield {"seconds": context.seconds_left()}
"""


@pytest.fixture
def check(tmp_path, monkeypatch):
    (tmp_path / "fake_sections.py").write_text(FAKES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(*sections, budget=60.0):
        made = [Section(name, f"fake_sections:{name}", share, needs_gpu=number > 0) for number, (name, share) in enumerate(sections)]
        return run_sections(made, tmp_path / "out", tmp_path, None, budget)

    return run


def statuses(result):
    return {name: (record["status"], record["error"]) for name, record in result["sections"].items()}


def test_one_section_that_fails_or_dies_leaves_the_others_alone(check, tmp_path):
    result = check(*((name, 1) for name in ("with_gpu", "good", "bad", "raises", "skips", "crashes", "reads")))
    assert statuses(result) == {
        "with_gpu": ("passed", None),
        "good": ("passed", None),
        "bad": ("failed", None),
        "raises": ("failed", "ValueError: the second row"),
        "skips": ("skipped", "no such tool"),
        "crashes": ("failed", "its process died (SIGSEGV); see log.txt"),
        "reads": ("passed", None),
    }
    found = {name: record["result"] for name, record in result["sections"].items()}
    assert found["good"] == {"rows": [1, 2], "failures": []}
    assert found["raises"] == found["crashes"] == {"rows": [1]}
    assert found["reads"] == {"found": "left by good", "source": str(tmp_path), "bsds": "None"}
    assert json.loads((tmp_path / "out" / "gpu_check.json").read_text()) == result
    assert "and a trace" in (tmp_path / "out" / "log.txt").read_text()
    assert not succeeded(result)


def test_deadlines_are_kept_and_time_left_over_is_passed_on(check):
    result = check(("with_gpu", 3), ("patient", 1), ("hangs", 1), ("last", 3), budget=12.0)
    assert statuses(result)["patient"] == ("out of time", "the section's time was up before all was done")
    assert statuses(result)["hangs"] == ("out of time", "it was ended at its deadline")
    assert result["sections"]["patient"]["result"]["rows"] > 0
    assert not is_running(result["sections"]["hangs"]["result"]["child"])
    assert result["sections"]["last"]["status"] == "passed"
    assert result["sections"]["last"]["result"]["seconds"] <= 0.9 * 4.5  # its share alone: the one before took all of its own
    assert result["seconds"] < 12 + 5  # not the 600 that it would sleep


def is_running(pid: int) -> bool:
    for _ in range(50):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.05)
    return True


def test_without_a_gpu_what_needs_one_is_skipped(check):
    result = check(("without_gpu", 1), ("good", 1), ("bad", 1))
    assert statuses(result) == {"without_gpu": ("passed", None), **dict.fromkeys(("good", "bad"), ("skipped", "no GPU: no driver"))}
    assert not succeeded(result)


def test_sections_whose_time_others_took_are_named(check):
    result = check(("with_gpu", 1), ("good", 1), budget=1e-4)
    assert {record["status"] for record in result["sections"].values()} <= {"out of time", "skipped"}


def test_all_that_ran_has_to_pass(check):
    assert succeeded(check(("with_gpu", 1), ("good", 1), ("skips", 1)))


def test_the_sections_of_the_check_exist():
    assert sum(section.share for section in SECTIONS) == pytest.approx(1)
    assert SECTIONS[0].name == "machine"
    assert not SECTIONS[0].needs_gpu
    for section in SECTIONS:
        module, _, function = section.target.partition(":")
        assert callable(getattr(__import__(module, fromlist=[function]), function))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nowhere"], "nowhere is not the root of the repository"),
        (["--bsds", "nowhere"], "no folder nowhere"),
        (["--budget", "0"], "name a number of seconds above 0"),
        (["--out", "file/results"], "the results cannot be written"),
    ],
)
def test_bad_arguments_give_one_line(tmp_path, arguments, message):
    (tmp_path / "file").touch()
    (tmp_path / "tests/gpu").mkdir(parents=True)
    command = [sys.executable, "-P", "-m", "ainet.benchmarks.gpu_check", *arguments]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert run.returncode in (1, 2)
    assert message in run.stderr
    assert "Traceback" not in run.stderr
