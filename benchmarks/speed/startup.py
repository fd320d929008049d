"""How long a start takes: `import ainet` alone, and one photo from the shell, each in a fresh process.

result = startup(Path("photo.jpg"), device="cpu", repeats=9)
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ainet.benchmarks.speed.clock import alternate
from ainet.errors import DeviceError


def startup(photo: Path, device: str, repeats: int) -> dict[str, Any]:
    """`settings`, and median seconds: `import_ainet`, beyond Python's own start, and `segment_photo`.

    Raises:
        DeviceError: a process fails; the message is its last line.
    """
    with tempfile.TemporaryDirectory() as out:
        commands = {
            "python": ["-c", "pass"],
            "import": ["-c", "import ainet"],
            "segment": ["-m", "ainet", "segment", str(photo), "-o", out, "--device", device],
        }
        times = alternate({name: partial(_run, command) for name, command in commands.items()}, repeats)
    seconds = {"import_ainet": times["import"].median - times["python"].median, "segment_photo": times["segment"].median}
    return {"settings": {"device": device, "repeats": repeats}, "seconds": seconds}


def _run(arguments: Sequence[str]) -> None:
    done = subprocess.run([sys.executable, "-P", *arguments], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DeviceError(f"a fresh process failed: {reason.removeprefix('error: ')}")
