"""Data sets of images with one or more segmentations each.

    data = BSDS500("BSDS500/data", "train")
    data[0].image()  # (H, W, 3) uint8 RGB

Every data set is a sequence of `Sample`; `resident.ResidentData` lays one out as tensors for training.
"""

from ainet.training.datasets.bsds import BSDS500
from ainet.training.datasets.folder import LabelFolder
from ainet.training.datasets.nyu import nyuv2
from ainet.training.datasets.sample import FileSample, Sample

__all__ = ["BSDS500", "FileSample", "LabelFolder", "Sample", "nyuv2"]
