"""How far an exported model, on any engine, is from PyTorch: in Q, in cells and in metrics."""
