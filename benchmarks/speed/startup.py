"""How long a start takes: `import ainet` alone, and one photo from the shell, each in a fresh process.

python -m ainet.benchmarks.speed.startup photo.jpg --device cpu --json startup.json
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ainet.benchmarks.speed.machine import machine, versions
from ainet.files import write_json


def median_seconds(command: list[str], repeats: int) -> float:
    """Median wall-clock seconds of `command` in fresh processes, after one that is not counted.

    Raises:
        subprocess.CalledProcessError: the command fails.
    """
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of `import ainet` and of one photo from the shell.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    python = [sys.executable, "-c"]
    with tempfile.TemporaryDirectory() as out:
        segment = [sys.executable, "-m", "ainet", "segment", str(arguments.photo), "-o", out, "--device", arguments.device]
        bare = median_seconds([*python, "pass"], arguments.repeats)
        figures = {
            "import_ainet": median_seconds([*python, "import ainet"], arguments.repeats) - bare,
            "segment_photo": median_seconds(segment, arguments.repeats),
        }
    table = Table("what", "median s", title=f"fresh processes, device {arguments.device}")
    table.add_row("import ainet, beyond Python's own start", f"{figures['import_ainet']:.3f}")
    table.add_row(f"ainet segment {arguments.photo.name}", f"{figures['segment_photo']:.3f}")
    Console().print(table)
    if arguments.json:
        settings = {"device": arguments.device, "repeats": arguments.repeats}
        write_json(arguments.json, {"settings": settings, "seconds": figures, "versions": versions(), "machine": machine()})


if __name__ == "__main__":
    main()
