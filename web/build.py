"""Builds the page into a folder of static files:

    python web/build.py build/web --model ainet-lite

It takes emscripten (emcc) and npm, and the package with onnx. What is newer than its sources is left alone.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from page_model import description, with_small_weights

from ainet.errors import AINetError
from ainet.export.whole import load_whole
from ainet.models import BUNDLED, DEFAULT, Device, model_path

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent
NATIVE = ROOT / "runtime" / "native"
SOURCES = [
    *(NATIVE / f"{name}.cpp" for name in ("assign", "connectivity", "interpolate", "label_map", "merging", "outlines")),
    *(NATIVE / f"{name}.cpp" for name in ("region_graph", "resample", "resize", "taps")),
    WEB / "native" / "engine.cpp",
]
COMPILE = ["-std=c++17", "-O3", "-msimd128", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra"]
COMPILE += ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]  # as in CMakeLists.txt
LINK = ["--no-entry", "-sSTANDALONE_WASM", "-sALLOW_MEMORY_GROWTH=1", "-sMAXIMUM_MEMORY=2GB", "-sFILESYSTEM=0", "-sMALLOC=emmalloc"]

# Of ONNX Runtime: for every browser, and for those with WebGPU and stack switching.
RUNTIME = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]
RUNTIME += ["ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm"]


def build(out: Path, model: Path) -> None:
    """Write the whole page.

    Raises:
        subprocess.CalledProcessError: the compiler or npm failed, and said why.
        AINetError: the model cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    compile_native(out / "engine.wasm")
    copy_runtime(out / "onnxruntime")
    write_model(model, out)
    pages = [file for pattern in ("*.html", "*.css", "*.js", "*.svg") for file in WEB.glob(pattern)]
    for file in pages:
        shutil.copy2(file, out)
    shutil.copytree(ROOT / "examples" / "photos", out / "photos", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.md"))


def compile_native(target: Path) -> None:
    headers = [*NATIVE.glob("*.h"), *WEB.glob("native/*.h")]
    if not is_older(target, [*SOURCES, *headers, Path(__file__)]):
        return
    print("== compiling the native sources to WebAssembly")
    subprocess.run(["emcc", *COMPILE, *LINK, f"-I{NATIVE}", "-o", target, *SOURCES], check=True)


def copy_runtime(target: Path) -> None:
    package = npm_package()
    if not is_older(target / RUNTIME[0], [package / "package.json"]):
        return
    target.mkdir(exist_ok=True)
    for name in RUNTIME:
        shutil.copy(package / "dist" / name, target)


def npm_package() -> Path:
    """The folder of ONNX Runtime, fetched where it is not there."""
    folder = ROOT / "build" / "npm"
    package = folder / "node_modules" / "onnxruntime-web"
    if is_older(package / "package.json", [WEB / "package.json"]):
        print("== fetching ONNX Runtime for the browser")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(WEB / "package.json", folder)
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
        (package / "package.json").touch()
    return package


def write_model(model: Path, out: Path) -> None:
    target = out / "model.json"
    content = load_whole(model)
    digest = hashlib.sha256(content.SerializeToString()).hexdigest()
    if not is_older(target, WEB.glob("*.py")) and json.loads(target.read_text()).get("source") == digest:
        return
    print(f"== writing the model of the page from {model}")
    small = out / "model.onnx"
    small.write_bytes(with_small_weights(content).SerializeToString())
    target.write_text(json.dumps({"source": digest, **description(small)}))


def is_older(target: Path, sources: Iterable[Path]) -> bool:
    """Whether a file is missing, or older than one of its sources."""
    return not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--model", default=DEFAULT, help=f"an exported ONNX file, or {', '.join(BUNDLED)}, the bundled ones")
    arguments = parser.parse_args()
    missing = [tool for tool in ("emcc", "npm") if shutil.which(tool) is None]
    if missing:
        print(f"{' and '.join(missing)} not found; on Debian: sudo apt-get install emscripten npm", file=sys.stderr)
        return 1
    try:
        build(arguments.out, model_path(arguments.model, Device("cpu")))
    except AINetError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {error.cmd[0]} failed; see above", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
