"""Asks a running `ainet serve` for superpixels with 1, 8 and 32 callers at a time: median, p95, throughput, refused and wrong answers.

    ainet serve --queue 256 &
    python tools/load_test.py photo.jpg --requests 64

Needs tritonclient with gRPC.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

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
        expected = client.infer(arguments.model, [tensor]).as_numpy("labels")

        def call(_: int) -> tuple[float, str]:
            start = time.perf_counter()
            try:
                labels = client.infer(arguments.model, [tensor]).as_numpy("labels")
            except InferenceServerException:
                return 0, "refused"
            return 1000 * (time.perf_counter() - start), "right" if np.array_equal(labels, expected) else "wrong"

        print("callers  median ms  p95 ms  right/s  refused  wrong")
        for callers in arguments.callers:
            start = time.perf_counter()
            with ThreadPoolExecutor(callers) as pool:
                answers = list(pool.map(call, range(arguments.requests)))
            seconds = time.perf_counter() - start
            kinds = [kind for _, kind in answers]
            median, p95 = np.percentile([waited for waited, kind in answers if kind != "refused"] or [0], [50, 95])
            rate = kinds.count("right") / seconds
            print(f"{callers:7}  {median:9.0f}  {p95:6.0f}  {rate:7.1f}  {kinds.count('refused'):7}  {kinds.count('wrong'):5}", flush=True)


if __name__ == "__main__":
    main()
