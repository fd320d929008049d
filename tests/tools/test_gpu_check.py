"""`tools/gpu_check.py` with tiny commands in place of its own: what it writes and says, whatever becomes of a command."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.paths import ROOT
from support.scripts import load_script

from ainet.training.networks import build

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "tools/gpu_check.py"
gpu_check = load_script(SCRIPT)
Step, run_steps = gpu_check.Step, gpu_check.run_steps


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_every_end_of_a_command_is_a_row(tmp_path: Path) -> None:
    steps = [
        Step("good", python("print('GPU 0'); print('=== 3 passed ===')"), 30),
        Step("bad", python("import sys; print('more'); sys.exit('error: needs the package x: pip install x')"), 30),
        Step("absent", ("no-such-program", "--version"), 30),
        Step("killed", python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), 30),
        Step("hangs", python("import time; print('begun', flush=True); time.sleep(600)"), 8),
        Step("no GPU", python("print('=== 62 skipped in 15.58s ===')"), 30),
        Step("no data", python("1"), 30, "name the data with --bsds FOLDER"),
        Step("last", python("print('still here')"), 30),
    ]
    said: list[str] = []
    rows = run_steps(steps, tmp_path, 100, said.append)
    assert [(row.step, row.status) for row in rows] == [
        ("good", "passed"),
        ("bad", "failed"),
        ("absent", "missing"),
        ("killed", "failed"),
        ("hangs", "out of time"),
        ("no GPU", "skipped"),
        ("no data", "skipped"),
        ("last", "passed"),
    ]
    remarks = {row.step: row.remark for row in rows}
    assert remarks["good"] == "3 passed"
    assert "pip install x" in remarks["bad"]
    assert "no-such-program" in remarks["absent"]
    assert "signal 9" in remarks["killed"]
    assert "begun" in remarks["hangs"]
    assert remarks["no data"] == "name the data with --bsds FOLDER"
    assert [line.split()[0] for line in said] == ["good", "bad", "absent", "killed", "hangs", "no", "no", "last"]
    assert [row["status"] for row in json.loads((tmp_path / "steps.json").read_text())] == [row.status for row in rows]
    assert "still here" in (tmp_path / "log.txt").read_text()


def test_when_the_time_is_over_the_rest_is_skipped(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    steps = [Step("hangs", python("import time; time.sleep(600)"), 60), Step("late", python(f"open({str(marker)!r}, 'w')"), 60)]
    start = time.monotonic()
    rows = run_steps(steps, tmp_path, gpu_check.GRACE + 1, lambda line: None)
    assert time.monotonic() - start < 30
    assert [row.status for row in rows] == ["out of time", "skipped"]
    assert not marker.exists()


def test_a_command_knows_its_time_and_its_files_are_kept(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    kept = tuple(work / name for name in ("weights", "half-way", "not written"))
    code = f"import sys; [open(name, 'w').write(sys.argv[1]) for name in {[str(path) for path in kept[:2]]!r}]; sys.exit(1)"
    run_steps([Step("train", (*python(code), "{seconds}s"), 50, keep=kept)], tmp_path / "out", 100, lambda line: None)
    for name in ("weights", "half-way"):
        assert (tmp_path / "out" / name).read_text() == f"{50 - gpu_check.GRACE:.0f}s"  # after a failure, too
    assert not (tmp_path / "out/not written").exists()


@pytest.mark.parametrize(("written", "expected"), [('{"p50": 0.9}', {"p50": 0.9}), ('{"p50"', None), (None, None)])
def test_figures_of_a_command_stand_in_its_row(tmp_path: Path, written: str | None, expected: object) -> None:
    result = tmp_path / "result.json"
    code = "pass" if written is None else f"open({str(result)!r}, 'w').write({written!r})"
    (row,) = run_steps([Step("latency", python(code), 50, result=result)], tmp_path / "out", 100, lambda line: None)
    assert (row.status, row.result) == ("passed", expected)
    assert json.loads((tmp_path / "out/steps.json").read_text())[0]["result"] == expected


def test_a_file_that_was_left_behind_is_named(tmp_path: Path) -> None:
    there, absent = tmp_path / "there", ROOT / "ainet/weights/absent.onnx"
    there.touch()
    steps = [Step("one", python("1"), 50, needs=(there,)), Step("two", python("1"), 50, needs=(there, absent), note="see above")]
    rows = run_steps(steps, tmp_path / "out", 100, lambda line: None)
    assert [row.status for row in rows] == ["passed", "missing"]
    assert rows[1].remark == "left behind: ainet/weights/absent.onnx; see above"


def test_earlier_steps_leave_their_share_of_the_time_to_the_last(tmp_path: Path) -> None:
    wait = python("import time; time.sleep(600)")
    total = 4 * gpu_check.GRACE
    steps = [Step("slow", wait, 60), Step("late", wait, 60), Step("training", python("1"), 60, share=0.5)]
    rows = run_steps(steps, tmp_path, total, lambda line: None)
    assert [row.status for row in rows] == ["out of time", "skipped", "passed"]
    assert rows[1].remark == "there was no time left for it"


def test_what_is_finished_is_on_the_disk_when_the_check_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "check.py"
    script.write_text(
        "import pathlib, runpy, sys\n"
        f"check = runpy.run_path({str(SCRIPT)!r})\n"
        "codes = {'a': 'print(1)', 'b': 'import time; time.sleep(600)'}\n"
        "steps = [check['Step'](name, (sys.executable, '-c', code), 300) for name, code in codes.items()]\n"
        f"check['run_steps'](steps, pathlib.Path({str(tmp_path)!r}), 400)\n"
    )
    check = subprocess.Popen([sys.executable, script], stdout=subprocess.DEVNULL)
    steps = tmp_path / "steps.json"
    deadline = time.monotonic() + 120
    while not steps.is_file() or json.loads(steps.read_text())[1]["status"] != "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(check.pid).children(recursive=True)
    os.kill(check.pid, signal.SIGKILL)
    check.wait()
    for child in children:
        child.kill()
    rows = json.loads(steps.read_text())
    assert [row["status"] for row in rows] == ["passed", "running"]
    assert rows[1]["remark"] == "ended with the whole check"


def test_a_disk_without_room_ends_it_in_one_line(tmp_path: Path) -> None:
    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))  # less than the steps.json of all steps

    command = [sys.executable, str(SCRIPT), "--out", str(tmp_path)]
    ended = subprocess.run(command, preexec_fn=little_room, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: cannot keep results in {tmp_path}") and ended.stderr.count("\n") == 1
    assert not (tmp_path / "steps.json").exists()


@pytest.mark.parametrize("bsds", [None, Path("/data/bsds")])
def test_the_steps_are_commands_that_exist(tmp_path: Path, bsds: Path | None) -> None:
    """Every option that the check passes to `ainet` is one that the command takes."""
    steps = {step.name: step for step in gpu_check.check_steps(tmp_path, bsds, "installed")}
    assert list(steps)[:2] == ["device", "package"]  # before anything imports torch
    assert sum(step.limit for step in steps.values() if step.name != "training") > gpu_check.TOTAL / 2
    assert bool(steps["training"].skip) == (bsds is None)
    assert steps["training"].share == (0 if bsds is None else gpu_check.TRAINING)
    assert not any(step.missing for step in steps.values())
    # What comes back: steps.json, log.txt and the weights, at most 8 files, each of at most 16 MiB.
    assert len({path.name for step in steps.values() for path in step.keep}) + 2 <= 8
    assert sum(value.nbytes for value in build("ainet").state_dict().values()) < 15 << 20
    for step in steps.values():
        if "ainet" not in step.command:
            continue
        words = step.command[step.command.index("ainet") + 1 :]
        command = words[:2] if words[0] == "bench" else words[:1]
        shown = subprocess.run([sys.executable, "-P", "-m", "ainet", *command, "--help"], capture_output=True, text=True, check=True).stdout
        for word in words:
            if word.startswith("-"):
                assert word in shown, (command, word)
