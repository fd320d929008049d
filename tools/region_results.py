"""All results about merged regions, and the pages that show them, in one command:

    python tools/region_results.py --bsds BSDS500/data --weights weights

    1. the cost of SCN's superpixels, trained and put into the bundled weights (ainet/weights/scn.*)
    2. a second AINet, whose cost is trained with another seed
    3. benchmarks/results: regions.json, regions_seed.json (the second AINet alone), proposals.json
    4. tables and plots of docs/

AINet's own cost is in its bundled weights already. --weights: the folder of ssn.safetensors, for the proposals. Training takes some
minutes of a CPU, the rest half an hour. What lies in the folder --work is not made again, so that the command goes on where it ended.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
SEED = "1"


def ainet(*arguments: object) -> None:
    run("-m", "ainet", *arguments)


def run(*arguments: object) -> None:
    command = [str(argument) for argument in arguments]
    print("==", *command, flush=True)
    subprocess.run([sys.executable, *command], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bsds", type=Path, required=True, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("--weights", type=Path, required=True, help="folder with ssn.safetensors")
    parser.add_argument("--work", type=Path, default=ROOT / "runs/regions", help="folder for what is made on the way")
    parser.add_argument(
        "--step",
        default="1",
        help="take each STEPth image of val alone, for a first look; an odd one, so that even and odd images stay what they are",
    )
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    data = ("--bsds", given.bsds)

    scn = given.work / "scn.safetensors"
    if not scn.is_file():
        ainet("train-merging", *data, "--weights", ROOT / "ainet/weights/scn.safetensors", "-o", scn)
        run(ROOT / "tools/bundle_weights.py", scn)
    second = given.work / "second.onnx"
    if not second.is_file():
        checkpoint = second.with_suffix(".safetensors")
        ainet("train-merging", *data, "--seed", SEED, "-o", checkpoint)
        ainet("export", checkpoint, "-o", second)

    val = (*data, "--step", given.step)
    methods = [part for name in ("ainet", "scn", "slic") for part in ("--method", name)]
    ainet("bench", "regions", *methods, *val, "-o", RESULTS / "regions.json")
    ainet("bench", "regions", "--method", "ainet", "--model", second, *val, "-o", RESULTS / "regions_seed.json")
    ainet("bench", "proposals", *methods, "--method", "ssn", "--weights", given.weights, *val, "-o", RESULTS / "proposals.json")
    run(ROOT / "tools/docs_figures.py")


if __name__ == "__main__":
    main()
