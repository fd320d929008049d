"""The whole pipeline on a GPU: captured graphs, arrays of other libraries, and other engines' networks between the kernels."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import host_kernels

from ainet import Segmenter
from ainet.models import bundled
from ainet.runtime.cuda.guests import OnnxRuntimeNetwork, TorchNetwork
from ainet.runtime.cuda.pipeline import GpuPipeline
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import Plan, plan_segments
from ainet.runtime.postprocess import normalise, postprocess
from ainet.spec import MEAN

pytestmark = pytest.mark.gpu

INFO = ModelInfo("none", "logits", "fp32", MEAN, "0" * 64, {}, "0")
PLAN = plan_segments(70, 93, 24)


class Planes:
    """A network that copies its three planes three times: nine scores, and no library. It can be captured."""

    info, capturable = INFO, True
    input_dtype = output_dtype = "float32"

    def __init__(self, gpu):
        self.gpu = gpu

    def fitting_batch(self, images, height, width):
        return min(images, 4)

    def prepare(self, shape, image, output, stream, allocate):
        size = 3 * shape[1] * shape[2] * 4

        def enqueue():
            for i in range(shape[0]):
                for k in range(3):
                    self.gpu.copy(output + (3 * i + k) * size, image + i * size, size, stream)

        return enqueue

    def free_cache(self):
        pass

    def close(self):
        pass


def expected(images, plan=PLAN):
    planes = normalise(host_kernels.resize(images, (plan.working_height, plan.working_width)), MEAN)
    return postprocess(
        planes.repeat(3, 0).reshape(len(images), 9, *planes.shape[2:]), plan.height, plan.width, plan.min_size, plan.max_size
    )


def photos(count, plan=PLAN, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (count, plan.height // 8 + 1, plan.width // 8 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2)[:, : plan.height, : plan.width])


@pytest.fixture
def pipeline(gpu):
    made = GpuPipeline(gpu, Planes(gpu), "planes")
    yield made
    made.close()


def test_graphs_of_several_shapes(pipeline):
    for seed in range(6):
        for plan in (PLAN, plan_segments(321, 481, 600), plan_segments(40, 50, 12)):
            images = photos(1 + seed, plan, seed)
            np.testing.assert_array_equal(pipeline.labels(images, plan), expected(images, plan))


def test_a_large_batch_in_shares(pipeline):
    plan = plan_segments(321, 481, 600)
    for seed in range(3):
        images = photos(33, plan, seed)
        np.testing.assert_array_equal(pipeline.labels(images, plan), expected(images, plan))


def test_threads(pipeline):
    batches = [photos(1 + i % 3, seed=i) for i in range(64)]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda images: pipeline.labels(images, PLAN), batches))
    for images, labels in zip(batches, results, strict=True):
        np.testing.assert_array_equal(labels, expected(images))


@pytest.mark.parametrize("library", ["torch", "cupy"])
def test_arrays_of_other_libraries_in_and_out(pipeline, library):
    module = pytest.importorskip(library)
    images = photos(5)
    if library == "torch":
        array, back = module.as_tensor(images, device="cuda"), lambda labels: module.as_tensor(labels, device="cuda").cpu().numpy()
    else:
        array, back = module.asarray(images), lambda labels: module.asnumpy(module.asarray(labels))
    for _ in range(3):
        np.testing.assert_array_equal(pipeline.labels(array, PLAN), expected(images))
        np.testing.assert_array_equal(back(pipeline.device_labels(array, PLAN)), expected(images))
    np.testing.assert_array_equal(back(pipeline.device_labels(images, PLAN)), expected(images))


@pytest.mark.parametrize("library", ["torch", "cupy"])
def test_a_segmenter_keeps_labels_on_the_gpu(pipeline, library):
    module = pytest.importorskip(library)
    images = photos(3)
    array = module.as_tensor(images, device="cuda") if library == "torch" else module.asarray(images)
    segmenter = Segmenter(pipeline)
    for source, wanted in ((array, expected(images)), (array[1], expected(images)[1])):
        labels = segmenter(source, 24)
        if library == "torch":
            shared = module.as_tensor(labels, device="cuda")
            assert (shared.data_ptr(), shared.dtype) == (labels.address, module.int32)
            result = shared.cpu().numpy()
        else:
            result = module.asnumpy(module.asarray(labels))
        np.testing.assert_array_equal(result, wanted)


def test_tensors_that_their_stream_has_not_done_yet(pipeline):
    """PyTorch's own interface says nothing of its stream, so the tensor itself has to be ordered too."""
    torch = pytest.importorskip("torch")
    images = photos(4)
    tensor = torch.zeros(images.shape, dtype=torch.uint8, device="cuda")
    source = torch.as_tensor(images).pin_memory()
    torch.cuda._sleep(20_000_000)
    tensor.copy_(source, non_blocking=True)
    np.testing.assert_array_equal(pipeline.labels(tensor, PLAN), expected(images))


def test_dlpack(pipeline):
    torch = pytest.importorskip("torch")
    images = photos(2)
    tensor = torch.as_tensor(images, device="cuda")

    class DLPack:
        __dlpack__, __dlpack_device__ = tensor.__dlpack__, tensor.__dlpack_device__

    np.testing.assert_array_equal(pipeline.labels(DLPack(), PLAN), expected(images))


def test_work_that_another_stream_has_not_done_yet(pipeline):
    torch = pytest.importorskip("torch")
    images = photos(4)
    with torch.cuda.stream(torch.cuda.Stream()):
        tensor = torch.zeros(images.shape, dtype=torch.uint8, device="cuda")
        source = torch.as_tensor(images).pin_memory()
        torch.cuda._sleep(20_000_000)
        tensor.copy_(source, non_blocking=True)

        class DLPack:
            __dlpack__, __dlpack_device__ = tensor.__dlpack__, tensor.__dlpack_device__

        np.testing.assert_array_equal(pipeline.labels(DLPack(), PLAN), expected(images))


def test_memory_comes_back(gpu):
    runtime = pytest.importorskip("cuda.bindings.runtime")
    plan = plan_segments(1080, 1920, 2400)  # some 60 MB
    images = photos(1, plan)
    wanted = expected(images, plan)
    free = []
    for _ in range(5):
        pipeline = GpuPipeline(gpu, Planes(gpu), "planes")
        np.testing.assert_array_equal(pipeline.labels(images, plan), wanted)
        pipeline.close()
        free.append(runtime.cudaMemGetInfo()[1])
    assert free[-1] > free[0] - 20 * 2**20


def test_torch_between_the_kernels(gpu):
    torch = pytest.importorskip("torch")
    torch.backends.cudnn.allow_tf32 = False

    class Module(torch.nn.Module):
        def forward(self, x):
            return x.repeat(1, 3, 1, 1)

    pipeline = GpuPipeline(gpu, TorchNetwork(Module().cuda(), INFO, "cuda:0"), "PyTorch")
    batches = [photos(1 + i % 3, seed=i) for i in range(32)]
    with ThreadPoolExecutor(4) as pool:  # each captures graphs of its own
        results = list(pool.map(lambda images: pipeline.labels(images, PLAN), batches))
    for images, labels in zip(batches, results, strict=True):
        np.testing.assert_array_equal(labels, expected(images))
    pipeline.close()


def test_onnx_runtime_between_the_kernels(gpu):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA provider")
    options = {"device_id": 0, "use_tf32": 0}
    session = onnxruntime.InferenceSession(bundled("ainet.onnx"), providers=[("CUDAExecutionProvider", options)])
    info = ModelInfo.from_json(session.get_modelmeta().custom_metadata_map["ainet"], "ainet.onnx")
    pipeline = GpuPipeline(gpu, OnnxRuntimeNetwork(session, info, gpu), "ONNX Runtime")
    plan = Plan(96, 128, 96, 128, 3, 700)
    images = photos(2, plan)
    output = session.run(None, {"image": normalise(host_kernels.resize(images, (96, 128)), MEAN)})[0]
    wanted = postprocess(output, 96, 128, 3, 700)
    assert (pipeline.labels(images, plan) == wanted).mean() > 0.99  # algorithms may differ from run to run
    pipeline.close()
