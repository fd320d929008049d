"""OpenVINO: when it takes the INT8 model, what it does when it cannot be used, and what it keeps for the next start."""

import importlib
import logging
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.paths import PHOTOS
from support.planes import normalise

from ainet import Segmenter, read_image
from ainet.calibration.graph import split_quarters
from ainet.errors import DeviceError, ModelError, UsageError
from ainet.export.whole import load_whole
from ainet.models import BUNDLED, INT8, bundled
from ainet.runtime.association import association
from ainet.runtime.backends import open_backend
from ainet.runtime.plan import plan_segments
from ainet.runtime.quarters import as_planes, in_quarters

openvino = pytest.importorskip("openvino")
backends = importlib.import_module("ainet.runtime.backends.openvino")
processor = importlib.import_module("ainet.runtime.backends.openvino_processor")

exact = pytest.mark.skipif(not processor.computes_int8_exactly(), reason="this processor does not add up INT8 exactly")
x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instruction sets of x86-64")
MEAN = (0.411, 0.432, 0.45)
IMAGE = normalise(read_image(PHOTOS / "coffee.jpg")[None, 100:164, 100:196], MEAN)


def in_new_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """ONEDNN_MAX_CPU_ISA works from the start of a process alone."""
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=120
    )


@exact
@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("device", ["auto", "openvino"])
def test_the_bundled_models_run_in_int8(name: str, device: str) -> None:
    photo = normalise(read_image(PHOTOS / "coffee.jpg")[None, :320, :480], MEAN)
    with Segmenter.load(name, device, threads=1) as segmenter:
        if segmenter.device.startswith("ONNX Runtime (CUDA"):
            pytest.skip("auto takes the GPU")
        assert (segmenter.device, segmenter.info.precision, segmenter.info.network) == ("OpenVINO (CPU, int8)", "int8", name)
        scores = as_planes(segmenter.backend.run(photo))
    with Segmenter.load(name, device, threads=1, precision="fp32") as segmenter:
        assert (segmenter.device, segmenter.info.precision) == ("OpenVINO (CPU)", "fp32")
        expected = as_planes(segmenter.backend.run(photo))
    assert (scores.argmax(1) == expected.argmax(1)).mean() > 0.94
    assert not np.array_equal(scores, expected)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_bundled_int8_model_is_of_the_bundled_weights(name: str) -> None:
    """Else one of them was renewed and the other was not: run tools/bundle_weights.py."""
    infos = [open_backend(bundled(file), "cpu").info for file in (f"{name}.onnx", name + INT8)]
    assert infos[0].checkpoint_sha256 == infos[1].checkpoint_sha256
    assert [info.precision for info in infos] == ["fp32", "int8"]


def test_a_named_file_runs_as_it_is() -> None:
    for device in ("auto", "openvino"):
        assert Segmenter.load(bundled("ainet.onnx"), device).info.precision == "fp32"
    assert Segmenter.load(device="cpu").info.precision == "fp32"
    with pytest.raises(UsageError, match="fp8"):
        Segmenter.load(precision="fp8")


@exact
def test_what_exact_counts_need_is_in_the_int8_model() -> None:
    backend, whole = (backends.OpenVinoBackend(bundled(name), 1) for name in ("ainet" + INT8, "ainet.onnx"))
    assert backend.merge_model is not None and whole.merge_model is not None
    for own, other in zip(backend.merge_model.arrays(), whole.merge_model.arrays(), strict=True):
        np.testing.assert_array_equal(own, other)
    (scores, border_map), (_, expected_map) = backend.run_with_map(IMAGE), whole.run_with_map(IMAGE)
    assert border_map.shape == expected_map.shape == (1, 32, 48, 16)
    assert np.corrcoef(border_map.ravel(), expected_map.ravel())[0, 1] > 0.98
    np.testing.assert_allclose(backend.run(IMAGE), scores, atol=1e-4)  # compiled without the map


def test_scores_of_a_split_network_stay_in_quarters(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = load_whole(bundled("ainet-lite.onnx"))
    split_quarters(model)
    onnx.save(model, tmp_path / "split.onnx")
    split, whole = (backends.OpenVinoBackend(path, 1) for path in (tmp_path / "split.onnx", bundled("ainet-lite.onnx")))
    images = np.concatenate([IMAGE, IMAGE[..., ::-1]])
    (scores, border_map), (expected, expected_map) = split.run_with_map(images), whole.run_with_map(images)
    assert in_quarters(scores) and not in_quarters(expected)
    np.testing.assert_allclose(as_planes(scores), expected, atol=1e-4)
    np.testing.assert_allclose(border_map, expected_map, atol=1e-4)
    np.testing.assert_allclose(split.run(images), scores, atol=1e-4)
    photo = read_image(PHOTOS / "coffee.jpg")
    labels = [Segmenter(backend)(photo, 100, quality="fast") for backend in (split, whole)]
    assert (labels[0] == labels[1]).mean() > 0.999
    maps = [association(backend, photo, plan_segments(*photo.shape[:2], 100)) for backend in (split, whole)]
    np.testing.assert_allclose(maps[0].probabilities, maps[1].probabilities, atol=1e-4)


@x86
@pytest.mark.slow
@pytest.mark.parametrize("instructions", ["AVX2", "AVX512_CORE"])
def test_processors_without_vnni_run_float32(instructions: str) -> None:
    """OpenVINO would give wrong cells there, or none: the bundled model runs in float32, and a named one on another engine."""
    code = (
        "import ainet; from ainet.models import bundled; from ainet.errors import DeviceError\n"
        "for device in ('auto', 'openvino'):\n"
        "    print(ainet.Segmenter.load(device=device).info.precision)\n"
        "print(ainet.Segmenter.load(bundled('ainet-int8.onnx')).device)\n"
        "try:\n"
        "    ainet.Segmenter.load(bundled('ainet-int8.onnx'), 'openvino')\n"
        "except DeviceError as error:\n"
        "    print('VNNI' in str(error))"
    )
    result = in_new_process(code, ONEDNN_MAX_CPU_ISA=instructions)
    assert result.stdout.split("\n")[:-1] == ["fp32", "fp32", "ONNX Runtime (CPU)", "True"]
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["device auto goes on without openvino"]


def test_the_precision_of_what_is_left_in_float() -> None:
    """A model with nothing left in float has none to choose; for one with convolutions in float it is one of the two."""
    core = openvino.Core()
    assert processor.quicker_precision(core.read_model(bundled("scn" + INT8))) == "f32"
    assert processor.quicker_precision(core.read_model(bundled("ainet.onnx"))) in ("f32", "bf16")


def test_an_engine_that_refuses_a_model(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """As OpenVINO does with an INT8 deconvolution on a processor that is capped to AVX2."""

    def compile_model(*_: object) -> None:
        raise RuntimeError("could not create a primitive descriptor for the deconvolution\nat node.cpp:1")

    monkeypatch.setattr(openvino, "compile_model", compile_model)
    with pytest.raises(DeviceError, match=r"deconvolution; [^\n]*$"):
        open_backend(bundled("ainet.onnx"), "openvino")
    with caplog.at_level(logging.WARNING):
        assert "ONNX Runtime" in open_backend(bundled("ainet.onnx"), "auto").name
    (record,) = caplog.records
    assert (record.name, record.getMessage().count("\n")) == ("ainet", 0)
    assert "deconvolution" in record.getMessage()


@pytest.mark.slow
def test_an_openvino_that_cannot_be_imported(tmp_path: Path) -> None:
    """Such as one whose libraries do not fit the system: a package that is there and fails."""
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino/__init__.py").write_text("raise ImportError('libopenvino.so: cannot open shared object file')")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]) if len(sys.argv) > 1 else None\n"
        "import ainet; from ainet.errors import DeviceError\n"
        "print(ainet.Segmenter.load().device)\n"
        "try:\n"
        "    ainet.Segmenter.load(device='openvino')\n"
        "except DeviceError as error:\n"
        "    print('libopenvino.so' in str(error), '--force-reinstall' in str(error))"
    )
    result = in_new_process(code, PYTHONPATH=os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    assert result.stdout.splitlines()[1:] == ["True True"]
    (line,) = result.stderr.splitlines()
    assert line.startswith("device auto goes on without openvino: ")


@pytest.mark.slow
@pytest.mark.parametrize(("content", "reason"), [("raise ImportError('no libcudart.so.12')", "no libcudart.so.12"), ("", "no attribute")])
def test_an_onnx_runtime_that_cannot_be_imported(tmp_path: Path, content: str, reason: str) -> None:
    """Such as one for GPUs without the libraries of CUDA, or the rest of one: device auto has OpenVINO all the same."""
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime/__init__.py").write_text(content)
    code = (
        "import ainet; from ainet.errors import DeviceError\n"
        "print(ainet.Segmenter.load().device)\n"
        "try:\n"
        "    ainet.Segmenter.load(device='cpu')\n"
        "except DeviceError as error:\n"
        f"    print({reason!r} in str(error), '--force-reinstall' in str(error))"
    )
    result = in_new_process(code, PYTHONPATH=os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    first, second = result.stdout.splitlines()
    assert "OpenVINO" in first and second == "True True"


@pytest.mark.slow
def test_signals_are_handled_after_engines_were_closed() -> None:
    """The plugins of two cores would leave the thread with a stack for signals that is unmapped."""
    code = (
        "import os, signal\n"
        "from ainet import Segmenter\n"
        "first, second = (Segmenter.load(name, 'openvino', 1) for name in ('scn', 'ainet-lite'))\n"
        "first.close()\n"
        "second.close()\n"
        "signal.signal(signal.SIGUSR1, lambda number, frame: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGUSR1)"
    )
    assert in_new_process(code).stdout == "handled\n"


@pytest.mark.slow
def test_threads_that_python_did_not_start() -> None:
    """Such as those of Qt: what OpenVINO keeps for a thread may not be freed with it."""
    code = """if True:
        import ctypes
        import numpy as np
        from ainet import Segmenter

        segmenter = Segmenter.load(device="openvino", threads=1)
        image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        found = [segmenter(image, 20)]
        work = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda nothing: found.append(segmenter(image, 20)))
        libc, thread = ctypes.CDLL(None), ctypes.c_ulong()
        for _ in range(2):
            libc.pthread_create(ctypes.byref(thread), None, work, None)
            libc.pthread_join(thread, None)
        print([np.array_equal(labels, found[0]) for labels in found])
    """
    assert in_new_process(code).stdout == "[True, True, True]\n"


def labels_with_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    monkeypatch.setenv("AINET_CACHE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return backends.OpenVinoBackend(bundled("scn.onnx"), 1).run(IMAGE)


def test_the_next_start_takes_the_compiled_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = backends.OpenVinoBackend(bundled("scn.onnx"), 1).run(IMAGE)
    assert list(tmp_path.iterdir()) == []  # the tests run without a cache
    np.testing.assert_array_equal(labels_with_cache(tmp_path, monkeypatch), expected)
    (file,) = tmp_path.glob("ainet/*.network")
    monkeypatch.setattr(openvino, "compile_model", None)  # is not needed any more
    np.testing.assert_array_equal(labels_with_cache(tmp_path, monkeypatch), expected)
    monkeypatch.undo()
    file.write_bytes(file.read_bytes()[:-100])
    np.testing.assert_array_equal(labels_with_cache(tmp_path, monkeypatch), expected)
    (file,) = tmp_path.glob("ainet/*.network")
    assert file.stat().st_size > 1_000_000


def test_a_cache_that_holds_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole by its checksum, but no network."""
    from ainet.runtime.backends.network_cache import NetworkCache

    expected = labels_with_cache(tmp_path, monkeypatch)
    (file,) = tmp_path.glob("ainet/*.network")
    NetworkCache(file.parent).store(file.stem, b"no network at all")
    np.testing.assert_array_equal(labels_with_cache(tmp_path, monkeypatch), expected)


def test_weights_beside_the_graph_are_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a graph whose weights lie in another file: it stays as it is when these are replaced."""
    onnx = pytest.importorskip("onnx")
    model = load_whole(bundled("ainet-lite.onnx"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=1000)
    graph = (tmp_path / "m.onnx").read_bytes()
    weights = np.fromfile(tmp_path / "m.data", np.float32)
    monkeypatch.setenv("AINET_CACHE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = backends.OpenVinoBackend(tmp_path / "m.onnx", 1).run(IMAGE)
    (tmp_path / "m.data").unlink()  # a new file: the old one may still be mapped
    (weights / 2).tofile(tmp_path / "m.data")
    after = backends.OpenVinoBackend(tmp_path / "m.onnx", 1).run(IMAGE)
    monkeypatch.setenv("AINET_CACHE", "0")
    np.testing.assert_array_equal(after, backends.OpenVinoBackend(tmp_path / "m.onnx", 1).run(IMAGE))
    assert np.abs(after - before).max() > 0.1
    assert (tmp_path / "m.onnx").read_bytes() == graph


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert labels_with_cache(tmp_path / "file", monkeypatch).shape == (1, 9, 64, 96)


def test_a_damaged_model(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(bundled("scn" + INT8).read_bytes()[:10_000])
    with pytest.raises(ModelError):
        open_backend(tmp_path / "x.onnx", "openvino")
