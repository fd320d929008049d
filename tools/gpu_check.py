"""Install the package into a folder of its own, then run the GPU check: `make gpu-check`, or on its own `python3 tools/gpu_check.py`.

Works without a network and without the pinned versions: it takes the packages that this Python has. Arguments are those of
`python -m ainet.benchmarks.gpu_check`, see --help.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "gpu-check"


def main() -> int:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--out", type=Path, default=Path("gpu-check"))
    parser.add_argument("--budget", type=float, default=540)
    known, rest = parser.parse_known_args()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(SITE), os.environ.get("PYTHONPATH"))))}
    check = [sys.executable, "-P", "-m", "ainet.benchmarks.gpu_check"]
    if {"-h", "--help"} & set(rest):
        return print(__doc__) or 0
    start = time.monotonic()
    print("building and installing the package", flush=True)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps"]
    reason = None
    try:
        built = subprocess.run(
            [*install, "--no-index", "--upgrade", "--target", str(SITE), str(ROOT)],
            capture_output=True,
            text=True,
            timeout=known.budget / 2,
        )
        if built.returncode:
            reason = (built.stderr or built.stdout)[-3000:]
    except subprocess.TimeoutExpired:
        reason = f"it took more than half of the budget of {known.budget:g} s"
    seconds = time.monotonic() - start
    if reason:
        print(f"cannot install the package: {reason}", file=sys.stderr)
        known.out.mkdir(parents=True, exist_ok=True)
        build = {"status": "failed", "error": reason, "seconds": seconds, "result": {}}
        (known.out / "gpu_check.json").write_text(json.dumps({"benchmark": "gpu_check", "sections": {"build": build}}, indent=1) + "\n")
        return 1
    times = ["--budget", str(known.budget - seconds), "--build-seconds", str(seconds)]
    return subprocess.run([*check, "--source", str(ROOT), "--out", str(known.out), *times, *rest], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
