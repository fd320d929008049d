"""What OpenVINO makes of this processor: whether it adds up INT8 right, and which precision it is quicker in.

Both are tried, not looked up, so that ONEDNN_MAX_CPU_ISA, with which a processor stands in for an older one, decides here as well. What was
found is kept in the user's cache folder.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as opset

from ainet.runtime.backends.network_cache import NetworkCache, key_of
from ainet.runtime.backends.signal_stack import kept_signal_stack

WIDE_KERNELS = ("avx512", "amx")  # in the names of OpenVINO's kernels
CLEARLY = 0.8  # bfloat16 is taken where it needs less than this share of the time of float32
INT8_MISSING = "which has neither AVX-512 VNNI nor AMX"


@cache
@kept_signal_stack()
def processor() -> tuple[str, ...]:
    """What decides how a network is compiled, beside the network: OpenVINO's version, the processor, and what it may use of it."""
    core = openvino.Core()
    names = [core.get_property("CPU", "FULL_DEVICE_NAME"), *core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")]
    return openvino.get_version(), *names, os.environ.get("ONEDNN_MAX_CPU_ISA", "")


@cache
def computes_int8_exactly() -> bool:
    """Whether an INT8 network gives the cells it should on this processor."""
    return _kept("int8 is exact", _adds_int8_exactly)


def quicker_precision(network: Any) -> str:
    """In which precision to run what an INT8 network leaves in float: "f32", or "bf16" where that is clearly quicker here."""
    return "bf16" if _has_float_layers(network) and _kept("bf16 is quicker", _bf16_is_quicker) else "f32"


def _kept(question: str, find: Callable[[], bool]) -> bool:
    """The answer for this processor, from the cache or else found and stored there."""
    kept, key = NetworkCache.of_user(), key_of(question, *processor())
    answer = kept.load(key)
    if answer is None:
        answer = b"yes" if find() else b"no"
        kept.store(key, answer)
    return answer == b"yes"


@kept_signal_stack()
def _adds_int8_exactly() -> bool:
    """Whether a small convolution of the largest values gives the right sums, on a kernel that suits the other layers too.

    Without VNNI or AMX the engine adds pairs of products in 16 bits, which overflow: a fifth of the pixels get another cell.
    VNNI without AVX-512 may add up right, but OpenVINO 2026.4 has INT8 deconvolutions for AVX2 that give NaN: the kernel has to be
    one of AVX-512 or AMX.
    """
    channels, largest = 16, 127
    image = opset.parameter([1, channels, 8, 8], np.float32)
    low, high = np.float32(-largest - 1), np.float32(largest)
    codes = opset.fake_quantize(image, low, high, low, high, 256)
    kernel = opset.convert(opset.constant(np.full((channels, channels, 3, 3), largest, np.int8)), "f32")
    scaled = opset.multiply(kernel, opset.constant(np.ones((channels, 1, 1, 1), np.float32)))
    sums = opset.convolution(codes, scaled, [1, 1], [0, 0], [0, 0], [1, 1])
    compiled = openvino.compile_model(openvino.Model([sums], [image]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled.create_infer_request().infer([np.full((1, channels, 8, 8), largest, np.float32)])[0]
    return bool((result == channels * 3 * 3 * largest**2).all()) and _has_wide_kernels(compiled)


def _has_wide_kernels(compiled: Any) -> bool:
    """Whether the convolutions of a compiled network run on kernels for AVX-512 or AMX."""
    operations = [operation.get_rt_info() for operation in compiled.get_runtime_model().get_ordered_ops()]
    kernels = [entry["primitiveType"].astype(str) for entry in operations if entry["layerType"].astype(str) == "Convolution"]
    return all(any(name in kernel for name in WIDE_KERNELS) for kernel in kernels)


def _has_float_layers(network: Any) -> bool:
    """Whether a convolution has float weights, as they stand in the file; those of INT8 are computed from codes."""
    layers = [node for node in network.get_ordered_ops() if node.get_type_name() in ("Convolution", "ConvolutionBackpropData")]
    return any(node.input_value(1).get_node().get_type_name() == "Constant" for node in layers)


@kept_signal_stack()
def _bf16_is_quicker() -> bool:
    """By a convolution that takes a millisecond or two: processors with the same instructions differ in this."""
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return False
    rng = np.random.default_rng(0)
    image = opset.parameter([1, 32, 96, 96], np.float32)
    kernel = opset.constant(rng.standard_normal((32, 32, 3, 3), np.float32))
    network = openvino.Model([opset.convolution(image, kernel, [1, 1], [1, 1], [1, 1], [1, 1])], [image])
    values = rng.standard_normal((1, 32, 96, 96), np.float32)
    requests = {}
    for precision in ("f32", "bf16"):
        try:
            compiled = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1})
        except RuntimeError:  # no kernel, as where ONEDNN_MAX_CPU_ISA is set
            return False
        requests[precision] = compiled.create_infer_request()
    fastest = dict.fromkeys(requests, float("inf"))
    for _ in range(5):
        for precision, request in requests.items():
            start = time.perf_counter()
            request.infer([values])
            fastest[precision] = min(fastest[precision], time.perf_counter() - start)
    return fastest["bf16"] < CLEARLY * fastest["f32"]
