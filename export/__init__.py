"""Export: checkpoint -> exact graph -> ONNX. Needs PyTorch and onnx."""
