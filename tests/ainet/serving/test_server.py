"""`ainet serve` with NVIDIA's Triton: right answers over HTTP and gRPC, every bad request, a full queue, a stop in the middle of work."""

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS, ROOT
from support.serving import PYTHON, Server, free_ports, needs_triton, serving

import ainet
from ainet.models import DEFAULT

triton = pytest.importorskip("tritonclient.grpc")
pytest.importorskip("grpc")
from tritonclient.utils import InferenceServerException  # noqa: E402

pytestmark = [needs_triton, pytest.mark.slow]

PHOTO = PHOTOS / "chelsea.jpg"
COUNT = 150


def ask(address: str, name: str = DEFAULT, **inputs: NDArray[Any]) -> NDArray[np.int32]:
    """One request over gRPC -> labels (H, W)."""
    kinds = {"image": "UINT8", "file": "BYTES", "n_segments": "INT32"}
    tensors = []
    for key, values in inputs.items():
        tensor = triton.InferInput(key, values.shape, kinds[key])
        tensor.set_data_from_numpy(values)
        tensors.append(tensor)
    with triton.InferenceServerClient(address) as client:
        return client.infer(name, tensors).as_numpy("labels")[0]


def status_of(call: Callable[[], object]) -> str:
    with pytest.raises(InferenceServerException) as caught:
        call()
    return str(caught.value.status()).removeprefix("StatusCode.")


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTO)[None]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int32]:
    """What the server's environment gives without a server: its OpenCV, another version, resizes a little otherwise."""
    out = tmp_path_factory.mktemp("expected")
    command = [PYTHON, "-P", "-m", "ainet", "segment", PHOTO, "-o", out, "-n", COUNT, "--device", "cpu"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return np.load(out / "chelsea.npy")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("--device", "cpu", "--queue", 4, folder=tmp_path_factory.mktemp("serve")) as running:
        yield running


def test_right_answers(server: Server, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    count = np.array([[COUNT]], np.int32)
    np.testing.assert_array_equal(ask(server.grpc, image=image, n_segments=count), expected)
    np.testing.assert_array_equal(ask(server.grpc, file=np.array([[PHOTO.read_bytes()]], object), n_segments=count), expected)
    assert abs(ask(server.grpc, image=image).max() + 1 - 600) < 60  # without a count


def test_the_documented_client(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/serving.md").read_text(), re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTO, "photo.jpg")
    names: dict[str, Any] = {}
    exec(code.replace("localhost:8001", server.grpc), names)
    assert names["labels"].shape == ainet.read_image(PHOTO).shape[:2]
    assert 250 < names["labels"].max() < 350
    names["server"].close()


def test_http_health_and_metrics(server: Server) -> None:
    assert urllib.request.urlopen(f"http://{server.http}/v2/health/ready").status == 200
    pixels = np.zeros((1, 48, 64, 3), np.uint8)
    pixels[:, :, 32:] = 255
    tensors = [
        {"name": "image", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.ravel().tolist()},
        {"name": "n_segments", "shape": [1, 1], "datatype": "INT32", "data": [12]},
    ]
    request = urllib.request.Request(f"http://{server.http}/v2/models/{DEFAULT}/infer", json.dumps({"inputs": tensors}).encode())
    (output,) = json.load(urllib.request.urlopen(request))["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("labels", "INT32", [1, 48, 64])
    assert 8 <= len(set(output["data"])) <= 16
    metrics = urllib.request.urlopen(f"http://{server.metrics}/metrics").read().decode()
    assert f'nv_inference_count{{model="{DEFAULT}",version="1"}}' in metrics


def test_bad_requests_fail_alone(server: Server, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    count = np.array([[COUNT]], np.int32)
    bad: list[tuple[str, dict[str, Any]]] = [
        ("INVALID_ARGUMENT", {"image": image, "n_segments": np.array([[0]], np.int32)}),
        ("INVALID_ARGUMENT", {"image": image[:, :4, :4]}),
        ("INVALID_ARGUMENT", {"image": image[..., :2]}),
        ("INVALID_ARGUMENT", {"image": image[0]}),
        ("INVALID_ARGUMENT", {"file": np.array([[b"no image"]], object)}),
        ("INVALID_ARGUMENT", {"n_segments": count}),
        ("NOT_FOUND", {"image": image, "name": "other"}),
    ]
    with ThreadPoolExecutor(4) as pool:
        flood = [pool.submit(status_of, lambda inputs=inputs: ask(server.grpc, **inputs)) for _ in range(3) for _, inputs in bad]
        good = ask(server.grpc, image=image, n_segments=count)
        statuses = [call.result() for call in flood]
    np.testing.assert_array_equal(good, expected)
    for status, (wanted, _) in zip(statuses, bad * 3, strict=True):
        assert status in (wanted, "UNAVAILABLE")


def test_a_full_queue_refuses(server: Server, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    """24 callers at a queue of 4: each gets the right labels or a refusal."""
    count = np.array([[COUNT]], np.int32)

    def call(_: int) -> str:
        try:
            return "right" if np.array_equal(ask(server.grpc, image=image, n_segments=count), expected) else "wrong"
        except InferenceServerException as error:
            return str(error)

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(call, range(24)))
    assert "right" in answers
    refused = [text for text in answers if text != "right"]
    assert refused
    assert all("Exceeds maximum queue size" in text for text in refused)


def test_a_slow_client_holds_up_nobody(server: Server, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    host, port = server.http.split(":")
    with socket.create_connection((host, int(port))) as slow:
        head = f"POST /v2/models/{DEFAULT}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        slow.sendall(head.encode() + b"{")  # and nothing more
        np.testing.assert_array_equal(ask(server.grpc, image=image, n_segments=np.array([[COUNT]], np.int32)), expected)
        assert urllib.request.urlopen(f"http://{server.http}/v2/health/ready", timeout=30).status == 200


def test_a_restart_under_load(tmp_path: Path, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    """Three callers ask on and on while the server is stopped and started again: each request gets the right labels or an error."""
    count = np.array([[COUNT]], np.int32)
    ports = free_ports(3)
    back = threading.Event()

    def call_until_after_the_restart() -> list[str]:
        """What became of each request of one caller, the last one after the restart."""
        answers = []
        while True:
            last = back.is_set()
            try:
                labels = ask(f"127.0.0.1:{ports[1]}", image=image, n_segments=count)
                answers.append("right" if np.array_equal(labels, expected) else "wrong")
            except InferenceServerException as error:
                answers.append(str(error.status()).removeprefix("StatusCode."))
                time.sleep(0.05)
            if last:
                return answers

    with ThreadPoolExecutor(3) as pool:
        try:
            with serving("--device", "cpu", folder=tmp_path, ports=ports) as server:
                children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
                callers = [pool.submit(call_until_after_the_restart) for _ in range(3)]
                ask(server.grpc, image=image, n_segments=count)
                assert server.stop() == 143
            assert children
            assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110
            with serving("--device", "cpu", folder=tmp_path, ports=ports):
                back.set()
                answers = [caller.result(timeout=120) for caller in callers]
        finally:
            back.set()
    for of_caller in answers:
        assert set(of_caller) <= {"right", "UNAVAILABLE", "CANCELLED", "NOT_FOUND"}  # the last where the model is not loaded yet
        assert "UNAVAILABLE" in of_caller
        assert of_caller[-1] == "right"
    assert "right" in [of_caller[0] for of_caller in answers]


def test_a_request_of_a_gigabyte(server: Server, image: NDArray[np.uint8], expected: NDArray[np.int32]) -> None:
    side = 18920
    header = json.dumps(
        {"inputs": [{"name": "image", "shape": [1, side, side, 3], "datatype": "UINT8", "parameters": {"binary_data_size": 3 * side**2}}]}
    ).encode()
    row = bytes(3 * side)
    headers = {
        "Inference-Header-Content-Length": str(len(header)),
        "Content-Type": "application/octet-stream",
        "Content-Length": str(len(header) + side * len(row)),
    }
    body = itertools.chain([header], itertools.repeat(row, side))
    request = urllib.request.Request(f"http://{server.http}/v2/models/{DEFAULT}/infer", body, headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=120)
    assert caught.value.code == 400
    assert f"{side}x{side}" in caught.value.read().decode()
    np.testing.assert_array_equal(ask(server.grpc, image=image, n_segments=np.array([[COUNT]], np.int32)), expected)


def test_what_cannot_be_served(server: Server, tmp_path: Path) -> None:
    port = server.http.split(":")[1]
    for arguments, message in (
        (["gone.onnx"], "gone.onnx"),
        (["--device", "gpu9"], "gpu9"),
        (["--device", "cpu", "--http", port], port),
    ):
        result = subprocess.run([PYTHON, "-P", "-m", "ainet", "serve", *arguments], capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode in (1, 2)
        assert result.stderr.startswith("error: ")
        assert message in result.stderr
