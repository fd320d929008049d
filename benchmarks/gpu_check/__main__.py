"""The command of the check, called by tools/gpu_check.py, which installs the package before."""

import argparse
import sys
from pathlib import Path

from ainet.benchmarks.gpu_check.runner import SECTIONS, run_sections, succeeded
from ainet.benchmarks.gpu_check.table import table
from ainet.errors import AINetError


def main() -> int:
    parser = argparse.ArgumentParser(prog="gpu_check", description="Check a machine with an NVIDIA GPU.")
    parser.add_argument("--source", type=Path, default=Path.cwd(), help="root of the repository")
    parser.add_argument("--out", type=Path, default=Path("gpu-check"), help="folder for gpu_check.json, table.txt and log.txt")
    parser.add_argument("--budget", type=float, default=540, help="seconds for everything")
    parser.add_argument("--bsds", type=Path, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("--build-seconds", type=float, help="what installing took, for the result")
    arguments = parser.parse_args()
    if not (arguments.source / "tests" / "gpu").is_dir():
        parser.error(f"{arguments.source} is not the root of the repository: it has no tests/gpu")
    if arguments.bsds is not None and not arguments.bsds.is_dir():
        parser.error(f"no folder {arguments.bsds}; name the one with BSDS500's images/ and groundTruth/")
    if not arguments.budget > 0:
        parser.error(f"budget {arguments.budget:g}: name a number of seconds above 0")
    bsds = None if arguments.bsds is None else arguments.bsds.resolve()
    try:
        result = run_sections(
            SECTIONS,
            arguments.out,
            arguments.source.resolve(),
            bsds,
            arguments.budget,
            arguments.build_seconds,
            lambda line: print(line, flush=True),
        )
        text = table(result)
        (arguments.out / "table.txt").write_text(text + "\n")
    except (AINetError, OSError) as error:
        print(f"the results cannot be written: {error}", file=sys.stderr)
        return 1
    print(text)
    return 0 if succeeded(result) else 1


if __name__ == "__main__":
    sys.exit(main())
