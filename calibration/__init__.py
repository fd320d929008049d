"""INT8: checkpoint -> ONNX with quantise/dequantise pairs, and what it costs. Needs PyTorch, onnx and ONNX Runtime."""

DEFAULT_COUNT = 32  # calibration images; more of them change nothing (docs/int8.md)
