"""The network as it is exported, with pre- and post-processing around it: `WithOutput` takes and gives what the exported file does.

The association-implantation module needs no rewriting here: the networks hold it in its closed form already.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.export.islands import to_half
from ainet.runtime.model import Output, Precision
from ainet.spec import CELL_SIZE, MEAN
from ainet.training.merging.model import BorderHead
from ainet.training.networks import UNet


class WithOutput(nn.Module):
    """A network with the input and output of an exported file.

    logits, association: normalised RGB float32 (N, 3, H, W) -> float32 (N, 9, H, W).
    labels: RGB uint8 (N, H, W, 3) -> int32 cell ids (N, H, W). H and W are multiples of 16.
    At fp16 the network alone runs in half precision, save for its first layer and `islands`; input, normalisation, softmax and output
    stay as they are.
    With a `head` there is a second output, its border map: float32 (N, H/2, W/2, C), see `ainet.runtime.merging`.
    """

    mean: Tensor

    def __init__(
        self, network: UNet, output: Output, precision: Precision, islands: Collection[str] = (), head: BorderHead | None = None
    ) -> None:
        super().__init__()
        self.network = to_half(network, islands) if precision == "fp16" else network
        self.output = output
        self.head = head
        self.register_buffer("mean", torch.tensor(MEAN), persistent=False)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.output == "labels":
            image = (image.float() / 255 - self.mean).permute(0, 3, 1, 2)  # (N, 3, H, W)
        if self.head is None:
            return self._finish(self.network(image).float())
        logits, sources = self.network.with_border_sources(image)
        return self._finish(logits.float()), self.head(*(source.float() for source in sources))

    def _finish(self, logits: Tensor) -> Tensor:
        """Logits (N, 9, H, W) -> the output that the file gives."""
        if self.output == "logits":
            return logits
        if self.output == "association":
            return F.softmax(logits, 1)
        return cell_ids(logits)


def cell_ids(scores: Tensor) -> Tensor:
    """Scores (N, 9, H, W) -> id of the best neighbouring cell (N, H, W) int32; outside the grid the nearest cell counts."""
    height, width = scores.shape[2:]
    neighbour = scores.argmax(1).int()  # (N, H, W), 0..8 in raster order
    rows = height // CELL_SIZE
    columns = width // CELL_SIZE
    row = (torch.arange(height, dtype=torch.int32, device=scores.device) // CELL_SIZE).unsqueeze(1) + neighbour // 3 - 1
    column = torch.arange(width, dtype=torch.int32, device=scores.device) // CELL_SIZE + neighbour % 3 - 1
    return row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
