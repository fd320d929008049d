"""Engine files: what TensorRT has built, and a JSON sidecar beside it that says what that is and where it runs.

    info = EngineInfo.load("model.engine")              # reads model.engine.json
    info.check_host("model.engine", "tensorrt", "11.4.0.106", "sm90")
    content = info.verify("model.engine")               # bytes that are safe to hand to TensorRT

TensorRT can crash on a damaged engine: it never gets bytes that `verify` has not passed.
"""

import hashlib
import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ainet.errors import ModelError
from ainet.files import parse_json
from ainet.runtime.model import ModelInfo

Shape = tuple[int, int, int]  # batch, height, width
OLDEST = "sm80"  # GPUs from this one on run engines that were built for no GPU in particular; see `ainet build --target`


@dataclass(frozen=True)
class Profile:
    """The input sizes from `smallest` to `largest`, which an engine is tuned for."""

    smallest: Shape
    largest: Shape

    def holds(self, shape: Shape) -> bool:
        """Whether batch, height and width of `shape` all lie between its ends, both included."""
        return all(low <= size <= high for low, size, high in zip(self.smallest, shape, self.largest, strict=True))

    def __str__(self) -> str:
        """Its name, as `ainet build --size` takes it; a batch of 1 goes without saying."""
        first = 1 if self.largest[0] == 1 else 0
        ends = ["x".join(map(str, shape[first:])) for shape in (self.smallest, self.largest)]
        return ends[0] if self.smallest == self.largest else "..".join(ends)


@dataclass(frozen=True)
class EngineInfo:
    """What an engine is, and where it runs.

    package: "tensorrt" or "tensorrt-rtx". version: of that library; an engine runs on the very version that built it.
    compute_capabilities: GPUs it was built for, such as "sm86"; none for the default of TensorRT-RTX (sm80 and later).
    profiles: the input sizes it takes, in the engine's order. model: what the ONNX file said of itself.
    onnx_sha256, plan_sha256: hashes of the ONNX file and of the engine. layer_precisions: how many layer outputs have which precision in
    the built engine ("fp16": 40); empty where no GPU was there to load it.
    """

    package: str
    version: str
    compute_capabilities: tuple[str, ...]
    profiles: tuple[Profile, ...]
    model: ModelInfo
    onnx_sha256: str
    plan_sha256: str
    layer_precisions: dict[str, int]

    @classmethod
    def load(cls, engine: str | os.PathLike[str]) -> "EngineInfo":
        """Read the sidecar of the file `engine`.

        Raises:
            ModelError: it is missing or damaged.
        """
        path = sidecar(engine)
        try:
            return cls.from_json(path.read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError):
            raise ModelError(
                f"no readable sidecar at {path}; copy it along with {engine}, or build both again with: ainet build MODEL.onnx -o {engine}"
            ) from None

    @classmethod
    def from_json(cls, text: str, source: object) -> "EngineInfo":
        """Read what `to_json` wrote to the file `source`.

        Raises:
            ModelError: the text is no sidecar of this toolkit.
        """
        try:
            entries: dict[str, Any] = parse_json(text)
            model = ModelInfo.from_entries(entries.pop("model"), source)
            profiles = tuple(Profile(_shape(ends["smallest"]), _shape(ends["largest"])) for ends in entries.pop("profiles"))
            capabilities: list[str] = entries.pop("compute_capabilities")
            info = cls(compute_capabilities=tuple(capabilities), profiles=profiles, model=model, **entries)
            texts = (info.package, info.version, info.onnx_sha256, info.plan_sha256, *capabilities)
            if not isinstance(capabilities, list) or not all(isinstance(text, str) for text in texts):
                raise TypeError
            if not profiles or not all(type(count) is int for count in info.layer_precisions.values()):
                raise ValueError
            return info
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ModelError(f"{source} is not a whole sidecar of an engine; build the engine again with: ainet build MODEL.onnx") from None

    def to_json(self) -> str:
        """The sidecar's text; equal engines give equal text."""
        return json.dumps({**asdict(self), "model": json.loads(self.model.to_json())}, indent=2, sort_keys=True) + "\n"

    def verify(self, engine: str | os.PathLike[str]) -> bytes:
        """Read the file `engine` and give its bytes if their SHA-256 is the sidecar's.

        Raises:
            ModelError: the file is missing or not the one that was built; the field `plan_sha256` differs.
        """
        try:
            content = Path(engine).read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise ModelError(f"cannot read the engine {engine}: {reason}; make one with: {self.build_command(engine)}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.plan_sha256:
            raise ModelError(
                f"{engine} is damaged or not the engine of its sidecar: plan_sha256 is {found[:12]}..., not {self.plan_sha256[:12]}...; "
                f"copy both files again, or build them with: {self.build_command(engine)}"
            )
        return content

    def check_host(self, engine: str | os.PathLike[str], package: str, version: str, compute_capability: str) -> None:
        """Raise unless the engine was built for this package, this version of it and a GPU of this compute capability.

        Raises:
            ModelError: names each field that differs, with both values.
        """
        if self.compute_capabilities:
            takes, fits = " or ".join(self.compute_capabilities), compute_capability in self.compute_capabilities
        else:
            takes, fits = f"{OLDEST} or later", int(compute_capability[2:]) >= int(OLDEST[2:])
        differences = []
        for field, built, here in (("package", self.package, package), ("version", self.version, version)):
            if built != here:
                differences.append(f"{field} is {built}, here it is {here}")
        if not fits:
            differences.append(f"compute capability is {takes}, this GPU has {compute_capability}")
        if differences:
            target = "" if self.compute_capabilities else f" --package {self.package} --target {compute_capability}"
            command = self.build_command(engine) + target
            raise ModelError(f"{engine} was built for another machine ({'; '.join(differences)}); build it here with: {command}")

    def profile_for(self, shape: Shape) -> int:
        """Index of the profile to run `shape` with: of those that hold it the smallest, as it is tuned nearest to it.

        Raises:
            ModelError: no profile holds it.
        """
        fitting = [index for index, profile in enumerate(self.profiles) if profile.holds(shape)]
        if not fitting:
            known, wanted = ", ".join(map(str, self.profiles)), "x".join(map(str, shape))
            raise ModelError(
                f"the engine takes inputs of {known} (batch x height x width), not {wanted}; "
                f"build one that takes it too with: ainet build MODEL.onnx{_options((*self.profiles, Profile(shape, shape)))}"
            )
        return min(fitting, key=lambda index: math.prod(self.profiles[index].largest))

    def build_command(self, engine: str | os.PathLike[str], model: str | os.PathLike[str] = "MODEL.onnx") -> str:
        """What to type to build the file `engine` again, for the sizes that it has."""
        return f"ainet build {model} -o {engine}{_options(self.profiles)}"


def sidecar(engine: str | os.PathLike[str]) -> Path:
    """Where the sidecar of the file `engine` stands: model.engine -> model.engine.json."""
    return Path(f"{os.fspath(engine)}.json")


def cache_file(engine: str | os.PathLike[str]) -> Path:
    """Where TensorRT leaves what makes it faster the next time: model.engine -> model.engine.cache. It may be deleted.

    The full TensorRT keeps how long kernels took, for the next build; TensorRT-RTX the kernels that it compiled for this GPU. The file is
    sealed (`ainet.files.write_sealed`) for that version and GPU: TensorRT is never handed another's, or damaged ones.
    """
    return Path(f"{os.fspath(engine)}.cache")


def _options(profiles: Sequence[Profile]) -> str:
    return "".join(f" --size {profile}" for profile in profiles)


def _shape(sizes: list[int]) -> Shape:
    batch, height, width = sizes
    if not all(type(size) is int for size in sizes):
        raise TypeError
    return batch, height, width
