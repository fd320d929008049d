"""Every method through `open_method`: what labels promise, counts, stages, and plain messages for what is missing."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

import ainet
from ainet.benchmarks.peers import METHODS, Method, Options, Stages, open_method, open_methods
from ainet.benchmarks.peers.ours import plan_for
from ainet.benchmarks.peers.peer import grid, join_fragments
from ainet.errors import DeviceError, ImageError, ModelError, UsageError
from ainet.models import BUNDLED, bundled
from ainet.runtime.plan import PUBLIC_PROTOCOL, plan_public, plan_segments
from ainet.runtime.postprocess import enforce_connectivity
from ainet.training.networks.ssn import SSN

CheckLabels = Callable[[NDArray[np.int32], NDArray[np.uint8]], int]
PEERS = [name for name in METHODS if name not in (*BUNDLED, "checkpoint")]
OPTIONAL = {"fast-slic": "fast_slic"}  # by method, the package that `make install` leaves out
EXACT = ("ers", "seal", "snic")  # of which the count is the grid's or the very number


@pytest.fixture(scope="module", params=["ainet", "ainet-lite", "scn", "ainet@openvino", "scn@torch", *PEERS])
def method(request: pytest.FixtureRequest) -> Method:
    if request.param in BUNDLED:
        pytest.importorskip("onnxruntime")
        try:
            return open_method(request.param, Options())
        except ModelError as error:
            pytest.skip(str(error))
    need_package(request.param)
    return open_method(request.param, Options())


def need_package(name: str) -> None:
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name])


def images(photo: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    grey = np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    return {
        "photo": photo,
        "grey": np.ascontiguousarray(grey[:48, :64]),
        "flat": np.full((33, 47, 3), 128, np.uint8),
        "odd": np.ascontiguousarray(photo[5:68, 9:40]),  # 63 x 31
        "wide": np.ascontiguousarray(photo[20:37, :]),  # 17 x 113
        "noise": np.random.default_rng(0).integers(0, 256, (40, 37, 3), dtype=np.uint8),
        "view": photo[::2, ::-2],
        "tiny": np.ascontiguousarray(photo[:16, :16]),
    }


@pytest.mark.parametrize("kind", ["photo", "grey", "flat", "odd", "wide", "noise", "view", "tiny"])
def test_labels_of_every_method(method: Method, photo: NDArray[np.uint8], check_labels: CheckLabels, kind: str) -> None:
    image = images(photo)[kind]
    before = image.copy()
    for n_segments in (4, 10, image.shape[0] * image.shape[1] // 40):
        if n_segments < 4:
            continue
        stages = Stages()
        count = check_labels(method(image, n_segments, stages), image)
        assert set(stages.seconds) <= {"network", "assignment", "connectivity"}
        assert all(seconds >= 0 for seconds in stages.seconds.values())
        if kind == "photo" and n_segments > 100:
            assert 0.6 * n_segments < count < 2 * n_segments
        if method.name in EXACT:
            expected = n_segments if method.name != "snic" else np.prod(grid(*image.shape[:2], n_segments))
            assert count == expected
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2), (5, 5)])
def test_peers_on_a_few_pixels(name: str, size: tuple[int, int], check_labels: CheckLabels) -> None:
    need_package(name)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    for n_segments in {1, min(4, size[0] * size[1])}:
        try:
            labels = open_method(name, Options())(image, n_segments)
        except ImageError as error:
            assert name == "seeds"
            assert "is too small for SEEDS; scale it up" in str(error)
        else:
            check_labels(labels, image)


def test_a_method_gives_the_same_twice_with_and_without_stages(method: Method, photo: NDArray[np.uint8]) -> None:
    first = method(photo, 60)
    np.testing.assert_array_equal(method(photo, 60, Stages()), first)
    assert method(photo, 60) is not first


def test_parameters_are_json_values(method: Method) -> None:
    import json

    assert json.loads(json.dumps(dict(method.parameters))) == dict(method.parameters)
    assert method.trained is (method.name not in ("ssn", "seal"))


def test_wrong_arguments(photo: NDArray[np.uint8]) -> None:
    method = open_method("snic", Options())
    with pytest.raises(UsageError, match=r"n_segments=0 .* 75x113"):
        method(photo, 0)
    with pytest.raises(ImageError, match=r"uint8 \(75, 113\)"):
        method(photo[..., 0], 10)
    for name in ("spam", "slic@cpu", "checkpoint@torch", "slic@+best", "ainet@+best", ""):
        with pytest.raises(UsageError, match=f"'{re.escape(name)}'.* ainet, ainet-lite, scn, checkpoint, ssn"):
            open_method(name, Options())
    for name in ("ainet@spam", "ainet@cpu+spam"):
        with pytest.raises(UsageError, match="'spam'"):
            open_method(name, Options())


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("slic", "skimage", "bench"), ("ssn", "torch", "train"), ("seal", "safetensors", "train")],
)
def test_a_missing_package_is_named(name: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == package or module.startswith("ainet.benchmarks.peers.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DeviceError, match=rf"'{name}' .* {package}: pip install 'ainet-toolkit\[{extra}\]'$"):
        open_method(name, Options())


def test_without_fast_slic_its_row_is_absent_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_slic", None)
    methods, skipped = open_methods(["slic-cv", "fast-slic"], Options())
    assert list(methods) == ["slic-cv"]
    assert list(skipped) == ["fast-slic"]
    assert "pip install --no-build-isolation --no-deps fast-slic" in skipped["fast-slic"]


def test_fast_slic_numbers_in_16_bits() -> None:
    need_package("fast-slic")
    image = np.zeros((300, 300, 3), np.uint8)
    with pytest.raises(UsageError, match="at most 65534 superpixels, not 65535"):
        open_method("fast-slic", Options())(image, 65_535)


def test_opencv_without_contrib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "ximgproc")
    with pytest.raises(DeviceError, match="pip install opencv-contrib-python-headless"):
        open_method("lsc", Options())


def test_a_checkpoint_is_measured_as_it_is(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    with pytest.raises(ModelError, match="`ainet train`"):
        open_method("checkpoint", Options())
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        open_method("checkpoint", Options(tmp_path))
    weights = bundled("scn.safetensors")
    (tmp_path / "weights.safetensors").write_bytes(weights.read_bytes())
    method = open_method("checkpoint", Options(tmp_path))
    assert method.parameters["network"] == "scn"
    np.testing.assert_array_equal(method(photo, 60), open_method("scn@torch", Options())(photo, 60))


def test_weights_as_pytorch_saves_them(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = SSN()
    torch.save(network.state_dict(), tmp_path / "ssn.pth")
    method = open_method("ssn", Options(tmp_path))
    assert method.trained
    (tmp_path / "other").mkdir()
    save_file(network.state_dict(), tmp_path / "other/ssn.safetensors")
    np.testing.assert_array_equal(method(photo, 60), open_method("ssn", Options(tmp_path / "other"))(photo, 60))


def test_tensorrt_needs_an_engine_in_the_folder_of_weights(tmp_path: Path) -> None:
    for weights in (None, tmp_path):
        with pytest.raises(
            DeviceError, match=r"'ainet@tensorrt' .*ainet\.engine .*: ainet export ainet -o ainet\.onnx, ainet build ainet\.onnx"
        ):
            open_method("ainet@tensorrt", Options(weights))


def test_an_engine_of_another_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No TensorRT is needed to see what an engine holds: the bundled SCN stands for what is opened."""
    (tmp_path / "ainet.engine").touch()
    with ainet.Segmenter.load("scn", device="cpu") as scn:
        monkeypatch.setattr(ainet.Segmenter, "load", lambda *_: scn)
        with pytest.raises(ModelError, match=r"'ainet@tensorrt' .*ainet\.engine, which holds the network scn"):
            open_method("ainet@tensorrt", Options(tmp_path))


@pytest.mark.parametrize("name", ["ssn", "seal"])
def test_weights_of_peers(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"spam.*{name}.safetensors"):
        open_method(name, Options(tmp_path / "spam"))
    assert not open_method(name, Options(tmp_path)).trained
    (tmp_path / f"{name}.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match=rf"{name}.safetensors"):
        open_method(name, Options(tmp_path))
    (tmp_path / f"{name}.safetensors").unlink()
    (tmp_path / f"{name}.pth").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match=rf"{name}.pth"):
        open_method(name, Options(tmp_path))
    with pytest.raises(DeviceError, match="'meta:spam'"):
        open_method(name, Options(device="meta:spam"))


def test_ours_is_the_segmenter(photo: NDArray[np.uint8]) -> None:
    pytest.importorskip("onnxruntime")
    method, stages = open_method("ainet", Options()), Stages()
    with ainet.Segmenter.load("ainet", device="cpu", threads=1) as segmenter:
        np.testing.assert_array_equal(method(photo, 60, stages), segmenter(photo, 60, quality="fast"))
        assert set(stages.seconds) == {"network", "assignment", "connectivity"}
        public = cv2.resize(photo, (481, 321), interpolation=cv2.INTER_CUBIC)
        np.testing.assert_array_equal(method(public, 54), segmenter(public, protocol="public", scale=0.3))
        exact = open_method("ainet@cpu+best", Options())
        assert exact.parameters["exact"] and not method.parameters["exact"]
        np.testing.assert_array_equal(exact(photo, 60), segmenter(photo, 60))


def test_public_numbers_take_the_public_plan() -> None:
    for (height, width), (_, _, base) in PUBLIC_PROTOCOL.items():
        for scale in (0.3, 0.7, 1.0, 1.4, 1.8):
            assert plan_for(height, width, int(base * scale * scale)) == plan_public(height, width, scale)
        assert plan_for(height, width, base + 1) == plan_segments(height, width, base + 1)
    assert plan_for(320, 480, 600) == plan_segments(320, 480, 600)


def test_fragments_join_what_they_touch() -> None:
    labels = np.array([[7, 7, 2, 2], [7, 2, 7, 2], [4, 4, 2, 4], [4, 4, 4, 4]], np.int32)
    joined = join_fragments(labels)
    assert joined.max() + 1 == 3  # 7, 2 and 4 are still there
    assert enforce_connectivity(joined, 1, 16).max() + 1 == 3
    kept = [(0, 0, 7), (0, 1, 7), (1, 0, 7), (0, 2, 2), (0, 3, 2), (1, 3, 2), (3, 0, 4), (3, 3, 4), (2, 3, 4)]
    names = {7: joined[0, 0], 2: joined[0, 3], 4: joined[3, 3]}
    assert all(joined[y, x] == names[label] for y, x, label in kept)


@pytest.mark.parametrize("size", [(321, 481), (481, 321), (16, 16), (1, 9), (448, 608)])
def test_grid_is_near_the_number(size: tuple[int, int]) -> None:
    for n_segments in range(1, size[0] * size[1] // 4, max(1, size[0] * size[1] // 97)):
        rows, columns = grid(*size, n_segments)
        assert 1 <= rows <= size[0]
        assert 1 <= columns <= size[1]
        assert abs(rows * columns - n_segments) <= (n_segments**0.5 + 1) / 2
