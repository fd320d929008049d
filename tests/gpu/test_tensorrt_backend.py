"""The TensorRT backend on the emulated GPU, over a stand-in: a module in which only the real names exist."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from support import engine_host
from support.engine_host import CONTENT, NAMES, SCRATCH, VERSIONS, Host, scores
from support.host_memory import view
from support.planes import normalise

from ainet import Segmenter
from ainet.errors import DeviceError, ModelError
from ainet.files import read_sealed, write_sealed
from ainet.runtime.cuda.errors import OutOfMemoryError
from ainet.runtime.engine_file import Profile, cache_file, sidecar
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import Plan
from ainet.runtime.postprocess import postprocess
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu


@pytest.fixture(params=VERSIONS)
def host(request, tmp_path, monkeypatch, emulator):
    """A machine whose backends are closed after the test, and leave no memory behind."""
    gc.collect()
    before = emulator.allocations()
    made = Host(tmp_path, monkeypatch, request.param)
    yield made
    made.close_all()
    assert emulator.allocations() == before


@pytest.fixture
def graphs(emulator):
    """How many graphs were made in this test."""
    before = emulator.calls("cuGraphInstantiateWithParams")
    return lambda: emulator.calls("cuGraphInstantiateWithParams") - before


def photos(count, height, width):
    coarse = np.random.default_rng(0).integers(0, 256, (count, height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(6, 1).repeat(6, 2)[:, :height, :width])


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_images_become_labels(tmp_path, monkeypatch, device, graphs, output):
    host = Host(tmp_path, monkeypatch, VERSIONS[-1], output)
    backend = host.open()
    assert backend.name == f"tensorrt {VERSIONS[-1]} (CUDA 0)"
    plan = Plan(50, 75, 64, 96, 4, 400)
    images = photos(3, 50, 75)
    smoothing = 1 if output == "logits" else 0  # ids cannot be interpolated
    expected = postprocess(scores(normalise(device.resize(images, (64, 96)), MEAN)), 50, 75, 4, 400, smoothing=smoothing)
    np.testing.assert_array_equal(run_pipeline(backend, images, plan), expected)
    host.runtime.deserialize_cuda_engine.assert_called_with(CONTENT)
    assert graphs() == 2  # of two images and of one: the profile ends at two
    shapes = [context.set_input_shape.call_args.args[1] for context in host.contexts]
    assert shapes == ([(2, 64, 96, 3), (1, 64, 96, 3)] if output == "labels" else [(2, 3, 64, 96), (1, 3, 64, 96)])
    host.close_all()


def test_a_context_for_each_shape_takes_the_smallest_profile(host):
    backend = host.open("auto")
    for size in ((32, 48), (64, 96), (32, 48)):
        planes = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
        np.testing.assert_array_equal(backend.run(planes), scores(planes))
    first, second = host.contexts
    profiles = [context.set_optimization_profile_async.call_args.args for context in (first, second)]
    assert profiles == [(1, stream := profiles[0][1]), (0, stream)]


def test_graphs_hold_kernels_for_their_shape_and_only_what_can_be_captured(host, graphs):
    """TensorRT-RTX alone has these names."""
    images, plan = photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400)
    host.open().labels(images, plan)
    rtx, managed = hasattr(host.package.api, "DynamicShapesKernelSpecializationStrategy"), strategies(host).USER_MANAGED
    assert rtx == host.info.version.startswith("1.")
    if rtx:
        host.engine.create_execution_context.assert_called_once_with(host.runtime_config)
        host.runtime_config.set_execution_context_allocation_strategy.assert_called_once_with(managed)
        strategy = host.package.api.DynamicShapesKernelSpecializationStrategy.EAGER
        assert host.runtime_config.dynamic_shapes_kernel_specialization_strategy == strategy
        host.contexts[0].is_stream_capturable.assert_called_once()
    else:
        host.engine.create_execution_context.assert_called_once_with(managed)
    assert graphs() == 1
    host.stream_capturable = False
    host.open().labels(images, plan)
    assert graphs() == (1 if rtx else 2)


def strategies(host):
    return host.package.api.ExecutionContextAllocationStrategy


def test_a_context_has_the_memory_that_its_shape_needs(host):
    backend = host.open()
    backend.labels(photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400))
    (context,) = host.contexts
    calls = [name for name, *_ in context.method_calls]
    asked, given = calls.index("update_device_memory_size_for_shapes"), calls.index("set_device_memory")
    assert max(map(calls.index, ("set_optimization_profile_async", "set_input_shape"))) < asked < given < calls.index("execute_async_v3")
    address, size = context.set_device_memory.call_args.args
    assert size == SCRATCH
    view(address, (SCRATCH,), np.uint8)[...] = 0  # it is there, and so long


def test_an_engine_that_needs_no_memory_of_its_own(host, monkeypatch):
    monkeypatch.setattr(engine_host, "SCRATCH", 0)
    host.open().labels(photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400))
    host.contexts[0].set_device_memory.assert_not_called()


@pytest.mark.parametrize(("count", "batches"), [(1, {1}), (3, {1}), (5, {4, 1}), (8, {4})])
def test_profiles_of_several_batches(host, count, batches):
    info = replace(host.info, profiles=(Profile((1, 32, 48), (1, 32, 48)), Profile((4, 16, 16), (4, 64, 96))))
    sidecar(host.path).write_text(info.to_json())
    backend = host.open()
    assert backend.labels(photos(count, 30, 40), Plan(30, 40, 32, 48, 4, 400)).shape == (count, 30, 40)
    assert {context.set_input_shape.call_args.args[1][0] for context in host.contexts} == batches
    with pytest.raises(ModelError, match="not 3x64x96"):
        backend.labels(photos(3, 60, 90), Plan(60, 90, 64, 96, 4, 400))


def test_a_segmenter_of_an_engine(host):
    with Segmenter.load(host.path) as segmenter:
        labels = segmenter(photos(1, 60, 90)[0], 24, quality="fast")
    assert labels.shape == (60, 90)
    assert labels.max() > 3


def test_a_shape_outside_the_profiles(host):
    backend = host.open()
    with pytest.raises(ModelError, match=r"takes inputs of .*not 1x128x64; build one .*: ainet build MODEL\.onnx .* --size 128x64$"):
        run_pipeline(backend, photos(1, 120, 60), Plan(120, 60, 128, 64, 4, 400))
    with pytest.raises(ModelError, match=r"not 3x16x16"):
        backend.run(np.zeros((3, 3, 16, 16), np.float32))


def test_an_engine_that_fails(host):
    backend = host.open()

    def out_of_memory(config):
        host.package.logger.errors.append("createExecutionContext: out of memory")

    host.engine.create_execution_context.side_effect = out_of_memory
    with pytest.raises(OutOfMemoryError, match=r"failed on an input of 1x16x16: .*out of memory; try a smaller one"):
        backend.run(np.zeros((1, 3, 16, 16), np.float32))


def test_a_run_that_fails(host):
    def failing(config):
        context = host.context(NAMES[host.info.version]["IExecutionContext"])
        context.execute_async_v3.side_effect = lambda stream: host.package.logger.errors.append("Myelin: illegal address")
        return context

    host.engine.create_execution_context.side_effect = failing
    with pytest.raises(DeviceError, match=r"failed on an input of 1x32x48: Myelin: illegal address"):
        run_pipeline(host.open(), photos(1, 30, 40), Plan(30, 40, 32, 48, 4, 400))


def test_the_kernels_that_were_compiled_are_kept_for_the_next_time(host):
    """By TensorRT-RTX alone."""
    images, plan, kept = photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400), cache_file(host.path)
    for _ in range(2):
        backend = host.open()
        backend.labels(images, plan)
        backend.labels(photos(1, 30, 40), Plan(30, 40, 32, 48, 4, 400))
        host.close_all()
    if host.cache is None:
        assert not kept.exists()
        return
    assert read_sealed(kept, f"kernels of {host.package} on sm90") == b"compiled"
    host.cache.deserialize.assert_called_once_with(b"compiled")  # the second time, by the first context
    assert host.runtime_config.create_runtime_cache.call_count == 2
    assert [call.args for call in host.runtime_config.set_runtime_cache.call_args_list] == [(host.cache,)] * 4


@pytest.mark.parametrize("kept", ["", "junk", "another GPU"])
def test_a_cache_that_is_not_of_this_machine_reaches_no_library(host, kept):
    if kept == "junk":
        cache_file(host.path).write_bytes(b"compiled" * 9)
    elif kept:
        write_sealed(cache_file(host.path), b"compiled", f"kernels of {host.package} on sm86")
    host.open().labels(photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400))
    if host.cache is not None:
        host.cache.deserialize.assert_not_called()


def test_a_lost_gpu_leaves_no_cache_and_can_be_closed(host):
    backend = host.open()
    backend.labels(photos(1, 60, 90), Plan(60, 90, 64, 96, 4, 400))
    if host.cache is not None:
        host.cache.serialize.return_value = None
    host.close_all()
    assert sorted(path.name for path in host.path.parent.iterdir()) == ["model.engine", "model.engine.json"]


def test_too_little_memory_for_the_engine_itself(host):
    host.runtime.deserialize_cuda_engine.side_effect = lambda content: host.package.logger.errors.extend(
        ["deserialization failed", "Cuda Runtime (out of memory)"]
    )
    with pytest.raises(OutOfMemoryError, match=r"cannot load .*: deserialization failed; free memory of other programs"):
        host.open()


def test_an_engine_for_no_gpu_in_particular(host):
    sidecar(host.path).write_text(replace(host.info, compute_capabilities=()).to_json())
    assert host.open().name


def test_another_gpu_or_version(host):
    sidecar(host.path).write_text(replace(host.info, compute_capabilities=("sm86",)).to_json())
    with pytest.raises(ModelError, match=r"\(compute capability is sm86, this GPU has sm90\)"):
        host.open()
    host.package.api.__version__ = "10.0.1"
    with pytest.raises(ModelError, match=rf"version is {host.info.version}, here it is 10\.0\.1; compute capability"):
        host.open()
    host.runtime.deserialize_cuda_engine.assert_called_once_with()  # by the fixture: the library never saw the plan


def test_a_plan_that_the_library_refuses(host):
    host.runtime.deserialize_cuda_engine.return_value = None
    with pytest.raises(ModelError, match=r"cannot load .*model\.engine: it gave no reason; build it again"):
        host.open()


def test_a_gpu_that_is_not_there(host):
    with pytest.raises(DeviceError, match="no GPU 2"):
        host.open("tensorrt:2")
