"""INT8: checkpoint -> ONNX with quantise/dequantise pairs, and what it costs. Needs PyTorch, onnx and ONNX Runtime."""
