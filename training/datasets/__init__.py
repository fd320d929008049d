"""Data sets of images with one or more ground truths each.

    data = bsds500("BSDS500/data", "train")
    data[0].image()  # (H, W, 3) uint8 RGB

Every data set is a list of `Sample`; `resident.ResidentData` lays one out as tensors for training.
"""

from ainet.training.datasets.bsds import bsds500
from ainet.training.datasets.folder import label_folder
from ainet.training.datasets.nyu import nyuv2
from ainet.training.datasets.sample import FileSample, Sample

__all__ = ["FileSample", "Sample", "bsds500", "label_folder", "nyuv2"]
