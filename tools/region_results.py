"""All results about merged regions, and the pages that show them, in one command:

    python tools/region_results.py --bsds BSDS500/data --weights weights

    1. SCN with a cost for its own superpixels, and a second AINet, whose cost is trained with another seed
    2. benchmarks/results: regions.json, regions_seed.json (the second AINet alone), proposals.json
    3. tables and plots of docs/

The costs of AINet and AINet-lite are in their bundled weights already. --weights: the folder of ssn.safetensors, for the proposals. It
takes about an hour of one core and 3 GB of memory. What lies in the folder --work is not made again, so that the command goes on where it
ended.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from ainet.benchmarks.result import readable_json

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
SEED = "1"


def run(*arguments: object) -> None:
    command = [str(argument) for argument in arguments]
    print("==", *command, flush=True)
    subprocess.run([sys.executable, *command], check=True)


def make(path: Path, *arguments: object) -> Path:
    """The file that `ainet ARGUMENTS -o PATH` writes, unless it is there."""
    if not path.is_file():
        run("-P", "-m", "ainet", *arguments, "-o", path)  # -P: of the installed package, not of the folder ainet
    return path


def join(parts: list[Path], result: Path) -> None:
    """One result of those of single methods."""
    first, *others = (json.loads(part.read_text()) for part in parts)
    for other in others:
        first["methods"] |= other["methods"]
        first["rows"] += other["rows"]
        first["figures"] += other["figures"]
    result.write_text(readable_json(first) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("--weights", type=Path, required=True, help="folder with ssn.safetensors")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/regions", help="folder for what is made on the way")
    parser.add_argument("--step", default="1", help="take each STEPth image of val alone, for a first look with a --work of its own")
    given = parser.parse_args()
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)
    train = ("train-merging", "--bsds", given.bsds)
    val = ("--bsds", given.bsds, "--step", given.step)
    regions = ("bench", "regions", *val, "--method")

    parts = [make(work / f"regions-{name}.json", *regions, name) for name in ("ainet", "ainet-lite", "slic")]
    scn = make(work / "scn.safetensors", *train, "--weights", ROOT / "ainet/weights/scn.safetensors")
    scn_model = make(work / "scn.onnx", "export", scn)
    parts.insert(2, make(work / "regions-scn.json", *regions, "scn", "--model", scn_model))
    methods = [part for name in ("ainet", "scn", "ssn", "slic") for part in ("--method", name)]
    proposals = make(work / "proposals.json", "bench", "proposals", *val, *methods, "--weights", given.weights)
    second = make(work / "second.safetensors", *train, "--weights", ROOT / "ainet/weights/ainet.safetensors", "--seed", SEED)
    second_model = make(work / "second.onnx", "export", second)
    seed = make(work / "regions_seed.json", *regions, "ainet", "--model", second_model)

    join(parts, RESULTS / "regions.json")
    join([seed], RESULTS / "regions_seed.json")
    join([proposals], RESULTS / "proposals.json")
    run(ROOT / "tools/docs_figures.py")


if __name__ == "__main__":
    main()
