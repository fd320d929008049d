"""A network for the GPU pipeline that needs no engine: copies inside GPU memory, which a graph can hold."""

import numpy as np

from ainet.errors import ModelError
from ainet.runtime.cuda.network import tensor_shapes
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import network_planes, postprocess
from ainet.runtime.resampling import plan_tables
from ainet.spec import MEAN

PLAN = plan_segments(70, 93, 24)


def enqueue_copy(target, source, size, stream):
    from cuda.bindings import driver  # absent where tests only skip

    (status,) = driver.cuMemcpyAsync(target, source, size, stream)
    assert int(status) == 0, status


class Planes:
    """Gives its three planes three times, as nine scores. Takes `least` to `most` images at once, of at most 500 rows.

    reserve: bytes that it holds until it is asked to free its cache. prepared: the shapes that it was made ready for. As an engine, it
    cannot be closed twice.
    """

    def __init__(self, gpu, least=1, most=100, capturable=True, dtype="float32", reserve=0):
        self.info = ModelInfo("none", "logits", "fp32", MEAN, "0" * 64, {}, "0")
        self.input_dtype = self.output_dtype = dtype
        self.least, self.most, self.capturable = least, most, capturable
        self.prepared, self.closed = [], False
        self.cache = gpu.allocate(reserve) if reserve else None

    def fitting_batch(self, images, height, width):
        if height > 500 or images < self.least:
            raise ModelError("no such size")
        return min(images, self.most)

    def prepare(self, shape, image, output, stream, allocate):
        self.prepared.append(shape)
        size = 3 * shape[1] * shape[2] * np.dtype(self.input_dtype).itemsize

        def enqueue():
            for i in range(shape[0]):
                for k in range(3):
                    enqueue_copy(output + (3 * i + k) * size, image + i * size, size, stream)

        return enqueue

    def free_cache(self):
        if self.cache is not None:
            self.cache.close()

    def close(self):
        assert not self.closed
        self.closed = True


class Ids:
    """A model whose output is labels: gives the same random cell ids for every image."""

    def __init__(self, gpu, plan):
        self.info = ModelInfo("none", "labels", "fp32", MEAN, "0" * 64, {}, "0")
        self.input_dtype, self.output_dtype, self.capturable = "uint8", "int32", True
        coarse = np.random.default_rng(0).integers(0, plan.cells, (plan.working_height // 4, plan.working_width // 4), dtype=np.int32)
        self.ids = coarse.repeat(4, 0).repeat(4, 1)

    def fitting_batch(self, images, height, width):
        return images

    def prepare(self, shape, image, output, stream, allocate):
        assert tensor_shapes(self, shape)[1][1:] == self.ids.shape

        def enqueue():
            for i in range(shape[0]):
                enqueue_copy(output + i * self.ids.nbytes, self.ids.ctypes.data, self.ids.nbytes, stream)

        return enqueue

    def free_cache(self):
        pass

    def close(self):
        pass


def photos(count, plan, seed=0):
    """Random blocks of 8 x 8 pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, plan.height // 8 + 1, plan.width // 8 + 1, 3), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2)[:, : plan.height, : plan.width])


def labels_of_planes(images, plan, dtype="float32"):
    """What a pipeline of `Planes` gives, by the steps of the CPU."""
    planes = network_planes(images, plan_tables(plan), MEAN).astype(dtype)
    scores = planes.repeat(3, 0).reshape(len(images), 9, *planes.shape[2:])
    return postprocess(scores, plan.height, plan.width, plan.min_size, plan.max_size, plan.public, smoothing=plan.smoothing)
