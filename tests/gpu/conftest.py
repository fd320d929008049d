"""A GPU: the machine's own, or the emulated one where pytest has the plugin `support.cuda_emulator.plugin`."""

import numpy as np
import pytest
from support.device_kernels import DeviceKernels
from support.gpu_networks import PLAN, Planes, labels_of_planes

from ainet.errors import DeviceError
from ainet.runtime.cuda.devices import open_gpu
from ainet.runtime.cuda.pipeline import GpuPipeline


@pytest.fixture(scope="session")
def emulated(pytestconfig):
    """Whether the GPU is emulated: it has no speed, so that tests take fewer cases."""
    return pytestconfig.pluginmanager.hasplugin("support.cuda_emulator.plugin")


@pytest.fixture(scope="session")
def gpu():
    try:
        return open_gpu(0)
    except DeviceError as error:
        pytest.skip(f"no CUDA device: {error}")


@pytest.fixture(scope="session")
def device(gpu):
    """The kernels on the GPU, over numpy arrays."""
    return DeviceKernels(gpu)


@pytest.fixture
def make(gpu):
    """Opens pipelines of `Planes`, which are closed after the test."""
    made = []

    def make(**options):
        network = Planes(gpu, **options)
        made.append(GpuPipeline(gpu, network, "planes"))
        return made[-1], network

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def check(device):
    """That a pipeline gives the labels of the CPU."""

    def check(pipeline, images, plan=PLAN):
        labels = pipeline.labels(images, plan)
        assert (labels.dtype, labels.shape) == (np.int32, images.shape[:3])
        np.testing.assert_array_equal(labels, labels_of_planes(images, plan))
        return labels

    return check
