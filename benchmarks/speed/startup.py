"""How long a start takes: `import ainet` alone, and one photo from the shell, each in a fresh process.

result = startup(Path("photo.jpg"), device="auto", repeats=9)
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from ainet.benchmarks.speed.clock import alternate
from ainet.benchmarks.speed.fresh import run_fresh


def startup(photo: Path, device: str, repeats: int) -> dict[str, Any]:
    """`settings`, and median seconds: `import_ainet`, beyond Python's own start; `segment_photo`, and `segment_photo_without_cache`.

    The cache of compiled networks is a fresh folder, which the round of the warm-up fills.

    Raises:
        DeviceError: a process fails; the message is its last line.
    """
    with tempfile.TemporaryDirectory() as out, tempfile.TemporaryDirectory() as cache:
        segment = ["-m", "ainet", "segment", str(photo), "-o", out, "--device", device]
        with_cache = {**os.environ, "XDG_CACHE_HOME": cache, "AINET_CACHE": "1"}
        without = {**os.environ, "AINET_CACHE": "0"}
        candidates = {
            "python": partial(run_fresh, ["-c", "pass"], without),
            "import": partial(run_fresh, ["-c", "import ainet"], without),
            "segment": partial(run_fresh, segment, with_cache),
            "segment without cache": partial(run_fresh, segment, without),
        }
        times = alternate(candidates, repeats)
    seconds = {
        "import_ainet": times["import"].median - times["python"].median,
        "segment_photo": times["segment"].median,
        "segment_photo_without_cache": times["segment without cache"].median,
    }
    return {"settings": {"device": device, "repeats": repeats}, "seconds": seconds}
