"""Asks a running `ainet serve` for superpixels with 1, 8 and 32 callers at a time: p50, p99, throughput, and whether all answers are equal.

    ainet serve --queue 256 &
    python tools/load_test.py photo.jpg --requests 64

Needs tritonclient with gRPC.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tritonclient.grpc

import ainet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--url", default="127.0.0.1:8001")
    parser.add_argument("--model", default="ainet")
    parser.add_argument("--requests", type=int, default=64, help="for each number of callers")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 32])
    arguments = parser.parse_args()
    image = ainet.read_image(arguments.photo)[None]
    tensor = tritonclient.grpc.InferInput("image", image.shape, "UINT8")
    tensor.set_data_from_numpy(image)
    with tritonclient.grpc.InferenceServerClient(arguments.url) as client:

        def call(_: int) -> tuple[float, np.ndarray]:
            start = time.perf_counter()
            labels = client.infer(arguments.model, [tensor]).as_numpy("labels")
            return time.perf_counter() - start, labels

        _, expected = call(0)
        print("callers  p50 ms  p99 ms  requests/s  wrong answers")
        for callers in arguments.callers:
            start = time.perf_counter()
            with ThreadPoolExecutor(callers) as pool:
                answers = list(pool.map(call, range(arguments.requests)))
            seconds = time.perf_counter() - start
            p50, p99 = np.percentile([1000 * waited for waited, _ in answers], [50, 99])
            wrong = sum(not np.array_equal(labels, expected) for _, labels in answers)
            print(f"{callers:7}  {p50:6.0f}  {p99:6.0f}  {arguments.requests / seconds:10.1f}  {wrong}", flush=True)


if __name__ == "__main__":
    main()
