"""The process in which files are read: it says what became of each, and may end at any of them."""

import contextlib
import os
import re
import resource
import tempfile
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from ainet.errors import AINetError
from fuzz.target import Target
from fuzz.targets import open_target

ACCEPTED, REFUSED = "accepted", "refused"
FOREIGN, CRASH, HANG, MEMORY, HALF_WRITTEN = "foreign exception", "crash", "hang", "memory", "half-written file"
BAD = (FOREIGN, CRASH, HANG, MEMORY, HALF_WRITTEN)

MEGABYTE = 2**20
MAX_MEMORY = 1024 * MEGABYTE  # beside what the process holds already
MAX_SPACE = 8192 * MEGABYTE  # of addresses, beside those of the libraries
MAX_SECONDS = 20  # of the processor


@dataclass(frozen=True)
class Outcome:
    """What became of a file: a class of those above, and why; by how much memory grew meanwhile, and what was held before, in bytes."""

    kind: str
    detail: str
    growth: int
    held: int


def serve(connection: Connection, log: str) -> None:
    """Answer names of targets and numbers of cases with outcomes, until the connection closes. `log`: where libraries write."""
    os.environ.update(OMP_NUM_THREADS="1", AINET_CACHE="0")
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    with tempfile.TemporaryDirectory() as root, contextlib.suppress(EOFError):
        targets: dict[str, Target] = {}
        while True:
            name, number = connection.recv()
            if name not in targets:
                folder = Path(root, name)
                folder.mkdir()
                targets[name] = open_target(name, folder)
                good = _read(targets[name], targets[name].good[0])  # which also loads what libraries load at their first use
                assert good.kind == ACCEPTED, good
            data = targets[name].case(Random(f"{name} {number}"))
            connection.send(_read(targets[name], data))


def _read(target: Target, data: bytes) -> Outcome:
    path = target.folder / target.file_name
    path.write_bytes(data)
    before = memory("VmRSS")
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + MAX_SECONDS)
    _limit(resource.RLIMIT_AS, memory("VmSize") + MAX_SPACE)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    kind, detail = _outcome(target, path)
    _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
    growth = max(0, memory("VmHWM") - before)
    if growth > MAX_MEMORY:
        kind, detail = MEMORY, f"{growth / MEGABYTE:.0f} MB; {detail}"
    if any(file.name.startswith(".") for file in target.folder.iterdir()):
        kind, detail = HALF_WRITTEN, ", ".join(file.name for file in target.folder.iterdir())
    return Outcome(kind, detail, growth, before)


def _outcome(target: Target, path: Path) -> tuple[str, str]:
    try:
        target.read(path)
    except AINetError as error:
        return REFUSED, str(error)
    except MemoryError as error:
        return MEMORY, "".join(traceback.format_exception(error))
    except BaseException as error:
        return FOREIGN, "".join(traceback.format_exception(error))
    return ACCEPTED, ""


def memory(field: str) -> int:
    """Bytes of memory of this process: "VmRSS" what it holds, "VmHWM" at most, "VmSize" its addresses."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def _limit(kind: int, soft: int) -> None:
    resource.setrlimit(kind, (soft, resource.getrlimit(kind)[1]))
