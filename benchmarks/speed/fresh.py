"""Python in a fresh process, as a candidate of the clock."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from ainet.errors import DeviceError


def run_fresh(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run Python with these arguments to its end, in this environment or that of this process.

    Raises:
        DeviceError: it fails; the message is its last line.
    """
    done = subprocess.run([sys.executable, "-P", *arguments], capture_output=True, text=True, env=environment)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DeviceError(f"a fresh process failed: {reason.removeprefix('error: ')}")
