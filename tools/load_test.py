"""Asks a running `ainet serve` for superpixels with 1, 8 and 32 callers at a time: median, p99, throughput, refused and wrong answers.

    ainet serve --queue 256 &
    python tools/load_test.py photo.jpg --requests 200 -o benchmarks/results/serving.json

Needs tritonclient with gRPC.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

import ainet
from ainet.benchmarks.result import write_result
from ainet.models import DEFAULT


def load(client: Any, model: str, tensor: Any, expected: np.ndarray, callers: int, requests: int) -> dict[str, float]:
    """So many requests by so many callers."""

    def call(_: int) -> tuple[float, str]:
        start = time.perf_counter()
        try:
            labels = client.infer(model, [tensor]).as_numpy("labels")
        except InferenceServerException:
            return 0, "refused"
        return 1000 * (time.perf_counter() - start), "right" if np.array_equal(labels, expected) else "wrong"

    start = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        answers = list(pool.map(call, range(requests)))
    seconds = time.perf_counter() - start
    kinds = [kind for _, kind in answers]
    median, p99 = np.percentile([waited for waited, kind in answers if kind != "refused"] or [0], [50, 99]).round(1)
    rate = round(kinds.count("right") / seconds, 2)
    return {
        "callers": callers,
        "median_ms": median,
        "p99_ms": p99,
        "right_per_second": rate,
        **{k: kinds.count(k) for k in ("refused", "wrong")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("-o", "--out", type=Path, help="JSON file to write")
    parser.add_argument("--url", default="127.0.0.1:8001")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--requests", type=int, default=200, help="for each number of callers")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 32])
    arguments = parser.parse_args()
    image = ainet.read_image(arguments.photo)[None]
    tensor = tritonclient.grpc.InferInput("image", image.shape, "UINT8")
    tensor.set_data_from_numpy(image)
    rows = []
    print("callers  median ms  p99 ms  right/s  refused  wrong")
    with tritonclient.grpc.InferenceServerClient(arguments.url) as client:
        expected = client.infer(arguments.model, [tensor]).as_numpy("labels")
        for callers in arguments.callers:
            row = load(client, arguments.model, tensor, expected, callers, arguments.requests)
            rows.append(row)
            print("{callers:7}  {median_ms:9.0f}  {p99_ms:6.0f}  {right_per_second:7.1f}  {refused:7}  {wrong:5}".format(**row), flush=True)
        parameters = client.get_model_config(arguments.model, as_json=True)["config"]["parameters"]
    if arguments.out:
        served = {key: parameters[key]["string_value"] for key in ("model", "device")}
        size = {"height": image.shape[1], "width": image.shape[2], "requests": arguments.requests}
        write_result(arguments.out, "serving", {"served": served, **size, "rows": rows, "load": round(os.getloadavg()[1], 1)})


if __name__ == "__main__":
    main()
