"""A machine with TensorRT, made of stand-ins: a module in which only the real names exist. Its engines run on the emulated GPU."""

import hashlib
import importlib.util
from unittest.mock import NonCallableMagicMock

import numpy as np

from ainet.runtime.backends import open_backend, tensorrt
from ainet.runtime.engine_file import EngineInfo, Profile, sidecar
from ainet.runtime.model import ModelInfo
from ainet.runtime.postprocess import assign
from ainet.runtime.tensorrt_api import TensorRtPackage
from ainet.spec import MEAN
from support import tensorrt_names
from support.host_memory import enqueue_host_function, view
from support.planes import normalise

NAMES = dict(tensorrt_names.RECORDED)
if importlib.util.find_spec("tensorrt_rtx"):
    import tensorrt_rtx

    NAMES[tensorrt_rtx.__version__] = tensorrt_names.names_of(tensorrt_rtx)
VERSIONS = sorted(NAMES)
SCRATCH = 4096  # bytes that a context wants for itself
CONTENT = bytes(range(256)) * 40
PROFILES = (Profile((1, 16, 16), (2, 64, 96)), Profile((1, 32, 48), (1, 32, 48)))


def scores(image):
    return np.stack([np.abs(image[:, k % 3] - k / 9 + 0.3) for k in range(9)], 1).astype(np.float32)


class Logger:
    errors: list = []  # noqa: RUF012


class Host:
    """A machine with TensorRT `version`, and an engine file on its disk. contexts: those that its engine has made. opened: its backends."""

    def __init__(self, folder, monkeypatch, version, output="logits"):
        self.output = output
        names = NAMES[version]
        stand_in = tensorrt_names.StandIn(names, version, "{}")
        self.package = TensorRtPackage("tensorrt", stand_in.api, Logger())
        self.package.logger.errors = []
        self.contexts, self.opened, self.stream_capturable = [], [], True
        self.runtime, self.runtime_config, self.cache = stand_in.api.Runtime(), stand_in.runtime_config, getattr(stand_in, "cache", None)
        engine = self.runtime.deserialize_cuda_engine()
        engine.num_io_tensors = 2
        engine.get_tensor_name.side_effect = ["result", "image"].__getitem__
        modes = stand_in.api.TensorIOMode
        engine.get_tensor_mode.side_effect = {"result": modes.OUTPUT, "image": modes.INPUT}.__getitem__
        engine.create_execution_context.side_effect = lambda config: self.context(names["IExecutionContext"])
        self.engine = engine
        monkeypatch.setattr(tensorrt, "load_package", lambda name: self.package)
        self.info = EngineInfo(
            package="tensorrt",
            version=version,
            compute_capabilities=("sm90",),
            profiles=PROFILES,
            model=ModelInfo("ainet", output, "fp16", MEAN, "a" * 64, {}, "0"),
            onnx_sha256="b" * 64,
            plan_sha256=hashlib.sha256(CONTENT).hexdigest(),
            layer_precisions={},
        )
        self.path = folder / "model.engine"
        self.path.write_bytes(CONTENT)
        sidecar(self.path).write_text(self.info.to_json())

    def open(self, device="tensorrt"):
        """A backend of the engine, until `close_all`."""
        self.opened.append(open_backend(self.path, device))
        return self.opened[-1]

    def close_all(self):
        while self.opened:
            self.opened.pop().close()

    def context(self, names):
        context = NonCallableMagicMock(spec_set=names)
        context.update_device_memory_size_for_shapes.return_value = SCRATCH
        context.execute_async_v3.side_effect = lambda stream: enqueue_host_function(stream, lambda: self.infer(context))
        if "is_stream_capturable" in names:
            context.is_stream_capturable.side_effect = lambda stream: self.stream_capturable
        self.contexts.append(context)
        return context

    def infer(self, context):
        addresses = dict(call.args for call in context.set_tensor_address.call_args_list)
        (_, shape), *_ = (call.args for call in context.set_input_shape.call_args_list)
        if self.output == "labels":
            image = view(addresses["image"], shape, np.uint8)
            view(addresses["result"], shape[:3], np.int32)[...] = assign(scores(normalise(image, MEAN)), *shape[1:3])
        else:
            view(addresses["result"], (shape[0], 9, *shape[2:]), np.float32)[...] = scores(view(addresses["image"], shape, np.float32))
