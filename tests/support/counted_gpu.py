"""A GPU whose memory is the host's and whose time is counted, with its events and a network."""

import numpy as np

from ainet.runtime.cuda.slots import tensor_shapes
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN
from support.host_kernels import HostGpu, view


class Device(HostGpu):
    """Has a clock of its own, on which each copy and each kernel takes a millisecond."""

    now = 0.0

    def enqueue(self, stream, name, step):
        def timed():
            step()
            self.now += name not in ("network", "event")

        super().enqueue(stream, name, timed)


class DeviceEvents:
    def __init__(self, gpu):
        self.gpu, self.made = gpu, 0

    def make(self):
        self.made += 1
        return [None]

    def record(self, event, stream, captured):
        assert captured == (stream in self.gpu._capturing)
        self.gpu.enqueue(stream, "event", lambda: event.__setitem__(0, self.gpu.now))

    def milliseconds(self, first, second):
        return second[0] - first[0]


def stripes(planes):
    return planes.repeat(3, 1) * np.arange(1, 10)[:, None, None]


class Network:
    """Planes (N, 3, h, w) -> scores by a function of numpy arrays."""

    input_dtype = output_dtype = "float32"

    def __init__(self, gpu, capturable, milliseconds=0, batch=100, info=None, scores=stripes):
        self.info = info or ModelInfo("none", "logits", "fp32", MEAN, "0" * 64, {}, "0")
        self.gpu, self.capturable, self.milliseconds, self.batch, self.scores = gpu, capturable, milliseconds, batch, scores

    def fitting_batch(self, images, height, width):
        return min(images, self.batch)

    def prepare(self, shape, image, output, stream, allocate):
        source, target = (view(address, size, "f4") for address, size in zip((image, output), tensor_shapes(self, shape), strict=True))

        def run():
            self.gpu.now += self.milliseconds
            target[...] = self.scores(source)

        return lambda: self.gpu.enqueue(stream, "network", run)

    def free_cache(self):
        pass

    def close(self):
        pass
