"""`python -m fuzz.threads --photos 2000`: eight threads on one Segmenter, each engine of the CPU: equal labels, and how memory grows."""

import argparse
import importlib.util
import json
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from support.paths import PHOTOS

import ainet
from fuzz.worker import MEGABYTE, memory

DEVICES = {"cpu": "onnxruntime", "openvino": "openvino", "torch": "torch"}
THREADS = 8
DIFFERENT = 40  # photos; all others are one of them again


def photos(count: int) -> list[NDArray[np.uint8]]:
    """Small pieces of a photo, of sizes from 32 to 96."""
    rng = np.random.default_rng(0)
    whole = ainet.read_image(PHOTOS / "coffee.jpg")
    pieces = []
    for height, width in rng.integers(32, 97, (count, 2)):
        top, left = rng.integers(0, (whole.shape[0] - height, whole.shape[1] - width))
        pieces.append(np.ascontiguousarray(whole[top : top + height, left : left + width]))
    return pieces


def check(device: str, count: int) -> list[int]:
    """Segment `count` photos in `THREADS` threads; memory after each fifth of them.

    Raises:
        AssertionError: labels that differ from those of one thread.
    """
    different = photos(DIFFERENT)
    with ainet.Segmenter.load("scn", device=device, threads=1) as segmenter, ThreadPoolExecutor(THREADS) as pool:
        expected = [zlib.crc32(segmenter(photo, 8).tobytes()) for photo in different]

        def same(number: int) -> bool:
            return zlib.crc32(segmenter(different[number % DIFFERENT], 8).tobytes()) == expected[number % DIFFERENT]

        held = []
        for fifth in range(5):
            numbers = range(fifth * count // 5, (fifth + 1) * count // 5)
            assert all(pool.map(same, numbers)), f"{device}: labels differ"
            held.append(memory("VmRSS"))
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000, help="for each thread")
    parser.add_argument("--device", action="append", choices=DEVICES, help="repeat for more; default: all")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    chosen = parser.parse_args()
    count = chosen.photos * THREADS
    reports = []
    print("| device | photos | MB after each fifth |\n|---|---|---|")
    for device in chosen.device or DEVICES:
        if importlib.util.find_spec(DEVICES[device]) is None:
            continue
        held = [round(value / MEGABYTE) for value in check(device, count)]
        reports.append({"device": device, "photos": count, "megabytes": held})
        print(f"| {device} | {count} | {' '.join(map(str, held))} |", flush=True)
        if chosen.json:
            chosen.json.write_text(json.dumps({"threads": reports}, indent=1) + "\n")


if __name__ == "__main__":
    main()
