"""The page, built anew where its sources changed; tests skip where what builds or runs it is not installed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import CHROMIUM, Browser, browser
from support.page import READY, build_page, serving, serving_plainly
from support.paths import ROOT

import ainet


@pytest.fixture(scope="session")
def page_folder() -> Path:
    missing = [name for name in ("emcc", "npm") if shutil.which(name) is None] + ["chromium"] * (CHROMIUM is None)
    if missing:
        pytest.skip(f"no {', '.join(missing)}: on Debian apt-get install emscripten npm chromium")
    if not (ROOT / "build/npm/node_modules/onnxruntime-web").is_dir():
        pytest.skip("ONNX Runtime for the browser has not been fetched: make page")
    folder = ROOT / "build" / "web"
    build_page(folder)
    return folder


@pytest.fixture(scope="session")
def address(page_folder: Path) -> Iterator[str]:
    with serving(ROOT / "web/serve.py", page_folder, "--port", 0) as url:
        yield url


@pytest.fixture(scope="session")
def plain_address(page_folder: Path) -> Iterator[str]:
    with serving_plainly(page_folder) as url:
        yield url


@pytest.fixture(scope="session")
def opened_page(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The page in a browser, its first photo segmented."""
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        opened.resize(1280, 860)
        opened.open(address)
        opened.wait_for(READY)
        yield opened


@pytest.fixture
def page(opened_page: Browser) -> Browser:
    """The same, showing outlines."""
    opened_page.evaluate("document.querySelector('#outlines').click()")
    return opened_page


@pytest.fixture(scope="session")
def segmenter(page_folder: Path) -> Iterator[ainet.Segmenter]:
    """The page's model in Python."""
    with ainet.Segmenter.load(page_folder / "model.onnx", device="cpu") as loaded:
        yield loaded
