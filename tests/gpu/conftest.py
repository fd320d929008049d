"""A GPU: the machine's own, or the emulated one where pytest has the plugin `support.cuda_emulator.plugin`."""

import pytest
from support.device_kernels import DeviceKernels

from ainet.errors import DeviceError
from ainet.runtime.cuda.devices import open_gpu


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
