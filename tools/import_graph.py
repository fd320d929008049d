"""Checks that imports inside the package run one way, as `docs/design.md` draws them; prints the arrows.

    python tools/import_graph.py

Every import counts, those inside functions and under TYPE_CHECKING too. A room may import from rooms of a lower level, and from
itself; modules must not import each other in a circle.
"""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("ainet", "training", "export", "runtime", "calibration", "benchmarks")
PACKAGES = ("training", "export", "runtime", "calibration", "benchmarks", "cli", "metrics")  # rooms of more than one file

# Lowest first. A room may use all that stand on lower levels; the rooms of one level do not know each other.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "spec", "package"),
    ("files", "arguments"),
    ("images",),
    ("labels", "metrics"),
    ("models",),
    ("runtime",),
    ("training",),
    ("regions", "merge_tree", "torch_backend"),
    ("segmenter", "graphs"),
    ("skimage", "serving", "bulk"),
    ("export",),
    ("calibration",),
    ("benchmarks",),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def module_files() -> dict[str, Path]:
    """Module name -> file, for every Python file of the package."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            parts = parts if parts[0] == "ainet" else ("ainet", *parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_of(file: Path, modules: dict[str, Path]) -> set[str]:
    """The modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= submodules & modules.keys() or {node.module}
    return {name for name in found if name in modules}


def room_of(module: str) -> str:
    """The room that a module belongs to: a folder, or a file of the face."""
    parts = module.split(".")
    if len(parts) == 1 or parts[1] == "__main__":
        return "package" if len(parts) == 1 else "cli"
    return parts[1]


def main() -> int:
    modules = module_files()
    imports = {module: imports_of(file, modules) - {module} for module, file in modules.items()}
    problems = []
    arrows: dict[str, set[str]] = {}
    for module, targets in imports.items():
        room = room_of(module)
        if room not in LEVEL:
            problems.append(f"{module}: the room '{room}' has no level in tools/import_graph.py")
            continue
        if module == "ainet":
            continue  # the face's names are imported on first use
        for target in sorted(targets):
            other = room_of(target)
            if other == room:
                continue
            arrows.setdefault(room, set()).add(other)
            if LEVEL.get(other, len(LEVELS)) >= LEVEL[room]:
                problems.append(f"{module} imports {target}: {room} must not use {other}")
    graph = {module: targets - {"ainet"} for module, targets in imports.items() if module != "ainet"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        problems.append("a circle: " + " -> ".join(error.args[1]))
    for rooms in reversed(LEVELS):
        for room in rooms:
            if room in arrows:
                print(f"{room:12} -> {', '.join(sorted(arrows[room], key=LEVEL.__getitem__, reverse=True))}")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
