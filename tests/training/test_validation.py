"""The loss on unseen images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ainet.spec import MEAN
from ainet.training.datasets import bsds500
from ainet.training.losses import association_loss
from ainet.training.networks import build
from ainet.training.validation import validation_loss


class Small:
    """45 x 70 pixels in two regions."""

    image_id = "small"

    def image(self) -> NDArray[np.uint8]:
        return np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        return [(np.arange(70) > 30).astype(np.uint16) + np.zeros((45, 1), np.uint16)]


def test_an_image_smaller_than_the_crop_counts_as_far_as_cells_fill_it() -> None:
    torch.manual_seed(0)
    network = build("scn").eval()
    image, (labels,) = Small().image()[6:38, 3:67], [labels[6:38, 3:67] for labels in Small().segmentations()]
    with torch.no_grad():
        prob = network(torch.from_numpy((image / 255 - np.array(MEAN)).astype(np.float32).transpose(2, 0, 1))[None]).softmax(1)
    expected = association_loss(prob, torch.from_numpy(labels.astype(np.int64))[None, None], 2)
    assert validation_loss(network, [Small()])["semantic"] == pytest.approx(expected.semantic.item(), rel=1e-5)


def test_equals_one_annotation_at_a_time(shared: Path) -> None:
    torch.manual_seed(0)
    network = build("scn").eval()
    samples = bsds500(shared / "bsds500", "val")[:2]
    losses = []
    for sample in samples:
        image, maps = sample.image(), sample.segmentations()
        top, left = (image.shape[0] - 64) // 2, (image.shape[1] - 64) // 2
        pixels = (image[top : top + 64, left : left + 64] / 255 - np.array(MEAN)).astype(np.float32)
        with torch.no_grad():
            prob = network(torch.from_numpy(pixels.transpose(2, 0, 1))[None]).softmax(1)
        for labels in maps:
            label = torch.from_numpy(labels[top : top + 64, left : left + 64].astype(np.int64))[None]
            losses.append(association_loss(prob, label[:, None], 200).total.item())
    assert len(losses) > 4
    assert validation_loss(network, samples, crop=64)["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
