import pytest

from ainet.errors import DeviceError
from ainet.export.onnx import export_onnx
from ainet.models import bundled
from ainet.runtime.cuda import devices
from ainet.training.checkpoint import load_checkpoint


@pytest.fixture(scope="session")
def rtx():
    """TensorRT-RTX, whose builder needs no GPU."""
    return pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: pip install 'ainet-toolkit[tensorrt-rtx]'")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The bundled AINet as ONNX files, by (precision, output)."""
    files = {("fp32", "logits"): bundled("ainet.onnx")}
    for key in (("fp32", "labels"), ("fp16", "logits"), ("fp16", "labels")):
        files[key] = tmp_path_factory.mktemp("onnx") / f"{'-'.join(key)}.onnx"
        export_onnx(load_checkpoint(bundled("ainet.safetensors")), files[key], *key)
    return files


@pytest.fixture
def no_gpu():
    try:
        devices.local_capability()
    except DeviceError:
        return
    pytest.skip("this machine has a GPU")
