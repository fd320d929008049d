"""Checks that imports inside the package run one way, as `docs/design.md` draws them; prints the arrows.

    python tools/import_graph.py

A part is a folder, or a file of the face. It may import from parts of lower levels, and from itself; modules must not import each
other in a circle. Every import counts, those inside functions and under TYPE_CHECKING too.
"""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("ainet", "training", "export", "runtime", "calibration", "benchmarks")

# Lowest first. A part may use all that stand on lower levels; the parts of one level do not know each other.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "spec", "package", "quiet", "wrong_content"),
    ("files", "arguments", "arrays", "mat_file", "decoding", "scratch"),
    ("tiff", "stretch"),
    ("deep_files",),
    ("image_files",),
    ("images", "georeference"),
    ("labels", "metrics"),
    ("models", "folders"),
    ("runtime",),
    ("results",),
    ("training",),
    ("regions", "merge_tree", "torch_backend"),
    ("opening",),
    ("segmenter", "graphs", "outlines"),
    ("one_call",),
    ("skimage", "serving", "bulk", "napari", "polygon_files"),
    ("export",),
    ("calibration",),
    ("benchmarks",),
    ("cli",),
)
LEVEL = {part: level for level, parts in enumerate(LEVELS) for part in parts}


def module_files() -> dict[str, Path]:
    """Module name -> file, for every Python file of the package."""
    found = {}
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            names = file.relative_to(ROOT).with_suffix("").parts
            names = names if names[0] == "ainet" else ("ainet", *names)
            found[".".join(names[:-1] if names[-1] == "__init__" else names)] = file
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


def part_of(module: str) -> str:
    """The part that a module belongs to."""
    names = module.split(".")
    if len(names) == 1:
        return "package"
    return "cli" if names[1] == "__main__" else names[1]


def main() -> int:
    modules = module_files()
    imports = {module: imports_of(file, modules) - {module} for module, file in modules.items()}
    problems = []
    arrows: dict[str, set[str]] = {}
    for module, targets in imports.items():
        part = part_of(module)
        if part not in LEVEL:
            problems.append(f"{module}: the part '{part}' has no level in tools/import_graph.py")
            continue
        if module == "ainet":
            continue  # the face's names are imported on first use
        for target in sorted(targets):
            other = part_of(target)
            if other == part:
                continue
            arrows.setdefault(part, set()).add(other)
            if LEVEL.get(other, len(LEVELS)) >= LEVEL[part]:
                problems.append(f"{module} imports {target}: {part} must not use {other}")
    graph = {module: targets - {"ainet"} for module, targets in imports.items() if module != "ainet"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        problems.append("a circle: " + " -> ".join(error.args[1]))
    for parts in reversed(LEVELS):
        for part in parts:
            if part in arrows:
                print(f"{part:12} -> {', '.join(sorted(arrows[part], key=LEVEL.__getitem__, reverse=True))}")
    print(*problems, sep="\n", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
