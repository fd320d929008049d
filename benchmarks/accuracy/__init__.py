"""Accuracy on data sets with ground truth: the public protocol, evaluation of label maps, ablation, object proposals."""
