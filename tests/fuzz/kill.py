"""`python -m fuzz.kill --kills 50`: commands that get SIGKILL at random moments, and what they leave behind.

After each kill every file with a name of its own is whole; run again and again, a command ends, with the results of a run that nobody
disturbed, training bit for bit.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import torch
from PIL import Image
from safetensors.torch import load_file
from support.paths import ROOT

from fuzz.commands import COMMANDS, OUT, Command

VARIABLE = ("seconds", "machine", "versions")  # entries of results that differ from run to run


@dataclass
class Report:
    """kills: how many processes were killed before they had ended; finished: how often the command had been run to its end then, or was
    after the last; seconds: of an undisturbed run."""

    command: str
    kills: int
    finished: int
    seconds: float


def kill(command: Command, kills: int, seed: int = 0) -> Report:
    """Kill a command so many times, and check what it leaves.

    Raises:
        AssertionError: a file is half-written, a run fails, or its results are not those of an undisturbed one.
    """
    random = Random(seed)
    with tempfile.TemporaryDirectory() as root:
        inputs, expected = Path(root, "inputs"), Path(root, "expected")
        inputs.mkdir()
        command.prepare(inputs)
        shutil.copytree(inputs, expected)
        start = time.monotonic()
        run(command, expected)
        report = Report(command.name, 0, 0, time.monotonic() - start)
        while report.kills < kills:
            folder = Path(root, f"{report.finished}")
            shutil.copytree(inputs, folder)
            while report.kills < kills and killed(command, folder, random.uniform(0, report.seconds)):
                report.kills += 1
            run(command, folder)
            check_equal(folder / OUT, expected / OUT)
            report.finished += 1
    return report


def run(command: Command, folder: Path) -> None:
    """To its end."""
    process = start_process(command, folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-2000:]


def killed(command: Command, folder: Path, seconds: float) -> bool:
    """Start it, and kill it after `seconds`; False if it ended before, and what it has left is whole in either case."""
    process = start_process(command, folder)
    try:
        _, errors = process.communicate(timeout=seconds)
        assert process.returncode == 0, errors[-2000:]
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    finally:
        for file in visible_files(folder / OUT):
            check_whole(file)


def start_process(command: Command, folder: Path) -> "subprocess.Popen[str]":
    path = os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    arguments = [sys.executable, "-P", *command.arguments]
    return subprocess.Popen(arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def visible_files(folder: Path) -> list[Path]:
    """Files with a name of their own: neither hidden, nor the log of a training, which grows event by event."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] != "." and "tfevents" not in path.name)


def check_whole(file: Path) -> Any:
    """What a file holds, from its first byte to its last; of results, without what differs from run to run."""
    content = file.read_bytes()
    match file.suffix:
        case ".npy":
            return np.load(file)
        case ".png" | ".jpg":
            with Image.open(file) as image:
                return np.array(image)
        case ".onnx":
            onnx.checker.check_model(onnx.load_model_from_string(content))
        case ".safetensors":
            return load_file(file)
        case ".pt":
            state = torch.load(file, weights_only=True)
            state["optimizers"] = [optimizer["state"] for optimizer in state["optimizers"]]  # their settings follow from the recipe
            return {key: value for key, value in state.items() if key not in VARIABLE}
        case ".json":
            return {key: value for key, value in json.loads(content).items() if key not in VARIABLE}
        case ".jsonl":
            return [json.loads(line) for line in content.decode().split("\n")[:-1]]
        case ".csv":
            assert content.endswith(b"\n")
        case _:
            raise AssertionError(f"{file.name} is unknown")
    return content


def check_equal(folder: Path, expected: Path) -> None:
    """The files of both hold the same."""
    names = [[file.relative_to(root) for file in visible_files(root)] for root in (folder, expected)]
    assert names[0] == names[1]
    for name in names[0]:
        assert is_same(check_whole(folder / name), check_whole(expected / name)), name


def is_same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(is_same(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor | np.ndarray):
        return bool(np.array_equal(a, b))
    return bool(a == b)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", action="append", choices=COMMANDS, help="repeat for more; default: all")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    chosen = parser.parse_args(arguments)
    reports = []
    print("| command | seconds alone | kills | finished in between |\n|---|---|---|---|")
    for name in chosen.command or list(COMMANDS):
        report = kill(COMMANDS[name], chosen.kills, chosen.seed)
        reports.append(asdict(report))
        print(f"| {name} | {report.seconds:.0f} | {report.kills} | {report.finished} |", flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps({"killed": reports}, indent=1) + "\n")


if __name__ == "__main__":
    main()
