"""What an exported model says about itself."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ainet.errors import ModelError
from ainet.files import parse_json
from ainet.spec import CELL_SIZE

Output = Literal["logits", "association", "labels"]
Precision = Literal["fp32", "fp16"]  # that a checkpoint is exported in; calibration makes "int8" of it
OUTPUTS: tuple[Output, ...] = get_args(Output)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
ENTRY = "ainet"  # of an ONNX file's metadata: what `ModelInfo.to_json` writes


@dataclass(frozen=True)
class ModelInfo:
    """Metadata of an exported model.

    network: its name, such as "ainet" or "scn". output: "logits", "association" or "labels". precision: "fp32",
    "fp16" or "int8". mean: subtracted from R, G, B in [0, 1]. checkpoint_sha256: hash of the checkpoint it came from.
    checkpoint: what that checkpoint said of itself. tool_version: version of the toolkit that exported it.
    """

    network: str
    output: str
    precision: str
    mean: tuple[float, float, float]
    checkpoint_sha256: str
    checkpoint: dict[str, object]
    tool_version: str

    @classmethod
    def from_json(cls, text: str | None, source: object) -> "ModelInfo":
        """Read the metadata entry `ENTRY` of the file `source`.

        Raises:
            ModelError: there is no such entry, or this version of the toolkit cannot run what it describes.
        """
        try:
            return cls.from_entries(parse_json(text or ""), source)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ModelError(
                f"{source} was not exported by this toolkit (no 'ainet' metadata); make it with: ainet export CHECKPOINT -o model.onnx"
            ) from None

    @classmethod
    def from_entries(cls, entries: dict[str, Any], source: object) -> "ModelInfo":
        """The same from what JSON has read.

        Raises:
            ModelError: this version of the toolkit cannot run what the entries describe.
            ValueError, TypeError, KeyError, AttributeError: they are not what `to_json` writes.
        """
        cell_size = entries.pop("cell_size")
        info = cls(**{**entries, "mean": tuple(entries["mean"])})
        texts = (info.network, info.output, info.precision, info.checkpoint_sha256, info.tool_version)
        if not all(isinstance(text, str) for text in texts) or not isinstance(info.checkpoint, dict):
            raise TypeError
        if len(info.mean) != 3 or not all(0 <= value <= 1 for value in info.mean):
            raise ValueError
        if cell_size != CELL_SIZE or info.output not in OUTPUTS:
            raise ModelError(
                f"{source} has cells of {cell_size} pixels and output '{info.output}', which this version cannot run; update the toolkit"
            )
        return info

    def to_json(self) -> str:
        """The metadata entry that `from_json` reads; equal metadata give equal text."""
        return json.dumps({"cell_size": CELL_SIZE, **asdict(self)}, sort_keys=True)
