import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support.blocks import die, wait_for_stop
from support.paths import ROOT

from ainet.benchmarks.accuracy.pool import run_tasks
from ainet.errors import DeviceError

pytestmark = pytest.mark.slow


def test_leaving_the_loop_stops_what_runs_and_drops_what_waits(tmp_path: Path) -> None:
    tasks = [tmp_path / name for name in ("endless", "quick", "a", "b", "c", "d", "e", "f")]
    done = run_tasks(wait_for_stop, tasks, 2)
    assert next(done).name == "quick"
    while not (tmp_path / "endless").exists():
        time.sleep(0.01)
    done.close()  # type: ignore[attr-defined]  # as the end of a loop that was left
    assert (tmp_path / "endless").read_text() == "stopped"
    assert not (tmp_path / "f").exists()


def test_a_killed_process_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="killed"):
        list(run_tasks(die, [tmp_path], 2))


def test_nothing_stays_behind_a_killed_run(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from pathlib import Path\nfrom ainet.benchmarks.accuracy.pool import run_tasks\nfrom support.blocks import wait_for_stop\n"
        f"if __name__ == '__main__':\n    list(run_tasks(wait_for_stop, [Path({str(tmp_path)!r}) / 'endless'] * 2, 2))\n"
    )
    path = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    run = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": path})
    while not (tmp_path / "endless").exists():
        assert run.poll() is None
        time.sleep(0.05)
    children = psutil.Process(run.pid).children(recursive=True)
    assert len(children) >= 2
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
