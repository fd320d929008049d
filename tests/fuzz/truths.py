"""Ground truths of data sets."""

import io
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from ainet.labels import read_bsds_truths
from ainet.training.datasets.nyu import NYUSample
from fuzz.containers import damaged_mat
from fuzz.mutations import damaged
from fuzz.pictures import LABELS, check_labels
from fuzz.target import Target


class BsdsTruths(Target):
    file_name = "file.mat"
    damages = (damaged, damaged_mat, damaged_mat)

    def seeds(self) -> list[bytes]:
        files = []
        for count, packed in ((2, False), (2, True), (1, True)):
            cell = np.empty((1, count), object)
            for number in range(count):
                cell[0, number] = {"Segmentation": (LABELS + 1).astype(np.uint16), "Boundaries": LABELS > 3}
            stream = io.BytesIO()
            savemat(stream, {"groundTruth": cell}, do_compression=packed)
            files.append(stream.getvalue())
        return files

    def read(self, path: Path) -> None:
        for labels in read_bsds_truths(path):
            check_labels(labels)


class NyuTruths(Target):
    """The labelled file of NYUv2, which is HDF5."""

    file_name = "file.mat"

    def seeds(self) -> list[bytes]:
        blocks = np.kron(np.random.default_rng(0).integers(0, 9, (20, 15)), np.ones((32, 32), int))[None]
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            for name, values in {
                "images": np.stack([blocks] * 3, 1).astype(np.uint8),
                "labels": blocks.astype(np.uint16),
                "instances": (blocks % 3).astype(np.uint8),
            }.items():
                file.create_dataset(name, data=values, compression="gzip")
        return [stream.getvalue()]

    def read(self, path: Path) -> None:
        sample = NYUSample(path, 1)
        assert sample.image().shape == (448, 608, 3)
        for labels in sample.segmentations():
            assert (labels.shape, labels.dtype) == ((448, 608), np.uint16)
