"""The check of a machine with an NVIDIA GPU in one command; docs/gpu-check.md says how to run it and what comes out.

    python -P -m ainet.benchmarks.gpu_check --out gpu-check --budget 540

Every section runs in a process of its own, which is ended at its deadline: a crash or a hanging GPU costs that section alone.
"""
