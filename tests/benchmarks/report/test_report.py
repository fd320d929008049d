import base64
import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import html5lib
import numpy as np
import pytest
from PIL import Image
from support.blocks import install_blocks, write_bsds
from support.paths import ROOT

from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.benchmarks.accuracy.regions import run_regions
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.benchmarks.report import write_report
from ainet.benchmarks.report.plots import draw_all
from ainet.benchmarks.report.results import load_results
from ainet.benchmarks.result import write_result
from ainet.errors import UsageError
from ainet.files import write_json
from ainet.labels import write_labels
from ainet.training.datasets import bsds500

BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
SCALES = (0.5, 1.0, 1.6)
RESULTS = ROOT / "benchmarks/results"


@pytest.fixture(scope="module")
def bsds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        yield write_bsds(tmp_path_factory.mktemp("data") / "bsds", patch)


@pytest.fixture(scope="module")
def run(bsds: Path) -> Path:
    """The folder of an accuracy run of two methods, and of one that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        install_blocks(patch)
        run_accuracy(["blocks", "other", "absent"], bsds, "val", bsds.parent / "run", protocol=replace(BSDS, scales=SCALES))
    return bsds.parent / "run"


@pytest.fixture(scope="module")
def latency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def row(method: str, height: int, count: int, seconds: float) -> dict[str, Any]:
        times = {"median": seconds, "p95": 1.1 * seconds}
        stages = {"network": 0.75 * seconds, "connectivity": 0.25 * seconds}
        place = {"method": method, "height": height, "width": 481, "n_segments": count, "superpixels": count + 1, "repeats": 5}
        return {**place, "seconds": times, "stages": stages, "ratio": {"scn": seconds / 0.05}}

    memory = {"method": "ainet", "height": 321, "width": 481, "n_segments": 96, "peak_mib": 200.5, "loaded_mib": 100.0, "gpu_mib": None}
    result = {
        "benchmark": "latency",
        "settings": {"device": "cpu", "threads": 2},
        "methods": {"ainet": {"parameters": {}, "trained": True}, "scn": {"parameters": {}, "trained": False}},
        "counts": [row("scn", 321, 96, 0.05), row("scn", 321, 600, 0.09), row("ainet", 321, 96, 0.06), row("ainet", 321, 600, 0.1)],
        "sizes": [row("scn", 480, 900, 0.2), row("scn", 960, 1800, 0.4)],
        "growth": {"scn": {"exponent": 1.0, "points": 2}},
        "memory": [memory],
        "left_out": [{"method": "ainet", "height": 480, "width": 481, "n_segments": 900, "reason": "too <slow>"}],
        "skipped": {},
        "versions": {"numpy": "2"},
        "machine": {"processor": "a test's"},
    }
    path = tmp_path_factory.mktemp("latency") / "latency_cpu.json"
    write_json(path, result)
    return path


@pytest.fixture(scope="module")
def regions(bsds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("regions") / "regions.json"
    with pytest.MonkeyPatch.context() as patch:
        install_blocks(patch)
        write_result(path, "regions", {"split": "val", **run_regions(["blocks"], bsds500(bsds, "val"), counts=[50, 100])})
    return path


@pytest.fixture(scope="module")
def proposals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two methods, and the kept regions of one image."""
    path = tmp_path_factory.mktemp("proposals") / "proposals.json"
    costs = [("ainet", "plain"), ("ainet", "image"), ("ainet", "network"), ("slic", "image"), ("slic", "del")]
    rows = [{"method": method, "cost": cost, "regions": n, "asa": 0.8 + n / 1000} for method, cost in costs for n in (5, 20)]
    write_json(path, {"benchmark": "proposals", "split": "val", "images": 2, "rows": rows, "methods": {}, "skipped": {}, "start": 600})
    folder = path.with_suffix("") / "11"
    folder.mkdir(parents=True)
    write_labels(folder / "slic-del.png", np.zeros((321, 481), np.int32))
    return path


@pytest.fixture(scope="module")
def page(run: Path, latency: Path, regions: Path, proposals: Path, bsds: Path) -> str:
    write_report([run, latency, regions, proposals], bsds.parent / "report.html", bsds)
    return (bsds.parent / "report.html").read_text()


def test_it_is_valid_html_and_fetches_nothing(page: str) -> None:
    html5lib.HTMLParser(strict=True).parse(page)  # raises at the first error
    assert not re.search(r"https?://|//[a-z]+\.|@import|<(iframe|link rel=.?stylesheet)", page)
    uris = re.findall(r'[\s(](?:href|src)="([^"]+)"|url\("?([^")]+)', page)
    assert sum(image.startswith("data:image/jpeg") for image, _ in uris) == 2 * 4 + 2  # of two images, each with two methods; of proposals
    assert all("".join(uri).startswith(("data:", "#")) for uri in uris)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    ids = re.findall(r' id="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', body)) | set(re.findall(r"url\(#([^)]+)\)", body))
    assert targets - set(ids) == set()
    points = [target for target in targets if target.startswith(("accuracy-", "counts0-", "sizes0-"))]
    assert len(points) == 2 * len(SCALES) + 4 + 2  # every point of the plots leads to its row
    merged = [target for target in targets if target.startswith("regions-blocks-")]
    assert len(merged) == 3 * 2  # as they are, by the plain and by the learned cost
    # The image's cost is left out where the network's is there.
    assert {target for target in targets if target.startswith(("proposals0-ainet", "proposals0-slic"))} == {
        f"proposals0-{name}" for name in ("ainet-plain", "ainet-network", "slic-image", "slic-del")
    }


def test_every_number_is_the_value_it_points_to(page: str) -> None:
    files = {
        html.unescape(name): json.loads(text)
        for name, text in re.findall(r'<script type="application/json" data-file="([^"]+)">(.*?)</script>', page, re.DOTALL)
    }
    assert set(files) == {"accuracy_blocks.json", "accuracy_other.json", "latency_cpu.json", "regions.json", "proposals.json"}
    cells = re.findall(r'<td(?: data-v="[^"]*")? data-src="([^"]+)"[^>]*>([^<]*)</td>', page)
    assert len(cells) > 200
    for source, shown in cells:
        name, pointer = html.unescape(source).split("#")
        value: Any = files[name]
        for key in pointer.split("/")[1:]:
            value = value[int(key) if isinstance(value, list) else key]
        if value is None:
            assert shown == "-"
        else:
            in_ms = "/seconds/" in pointer or "/stages/" in pointer
            digits = len(shown.partition(".")[2])
            assert float(shown.replace(",", "")) == pytest.approx(value * (1000 if in_ms else 1), abs=0.5001 * 10**-digits)


def test_plots_are_clipped_to_their_axes(page: str) -> None:
    clips = re.findall(r"<clipPath [^>]*>\s*<rect ([^>]*)/>", page)
    assert len(clips) >= 6
    assert all(float(re.search(rf'{side}="([\d.]+)"', clip)[1]) > 100 for clip in clips for side in (" width", " height"))  # type: ignore[index]


def test_it_says_what_was_skipped_left_out_and_random(page: str) -> None:
    assert "absent: method &#x27;absent&#x27; needs the package absent: pip install absent" in page
    assert "ainet, 481x480, 900 superpixels: too &lt;slow&gt;" in page
    assert "With random weights, which take the same time: scn." in page


def test_plots_for_a_paper(latency: Path, tmp_path: Path) -> None:
    written = write_report([latency], tmp_path / "report.html", plots=tmp_path / "plots")
    assert sorted(path.name for path in written) == ["fig8-0.png", "fig8-0.svg", "report.html", "sizes-0.png", "sizes-0.svg"]
    with Image.open(tmp_path / "plots/fig8-0.png") as picture:
        assert picture.width == 1520
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    again = draw_all(load_results([latency]))[0]
    assert (tmp_path / "plots/fig8-0.svg").read_bytes() == again.picture("svg")  # the same every time


RECIPE = {"name": "brief", "iterations": 1500, "batch_size": 4}


def test_other_images_are_not_in_the_plots_of_regions(run: Path, regions: Path, tmp_path: Path) -> None:
    """The accuracies of `run` are of two images; of them only the method that has no regions stands beside the regions."""

    def curves(source: Path) -> list[str]:
        (figure,) = [plot.figure for plot in draw_all(load_results([run, source])) if plot.name == "regions-asa"]
        return [text.get_text() for text in figure.legends[0].get_texts()]

    ways = ["blocks, direct", "blocks, plain", "blocks, learned"]
    assert curves(regions) == [*ways, "other"]
    write_json(tmp_path / "regions.json", {**json.loads(regions.read_text()), "images": 1})
    assert curves(tmp_path / "regions.json") == ways


def test_ablation(run: Path, tmp_path: Path) -> None:
    accuracy = json.loads((run / "accuracy_blocks.json").read_text())
    shared = {key: accuracy[key] for key in ("protocol", "data")}
    write_json(
        tmp_path / "ablation.json", {"benchmark": "ablation", **shared, "variants": {"with <AI>": accuracy["scales"]}, "recipe": RECIPE}
    )
    write_report([run, tmp_path / "ablation.json"], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    html5lib.HTMLParser(strict=True).parse(page)
    assert 'id="fig6-0"' in page
    assert "Every variant: recipe &#x27;brief&#x27;, 1,500 iterations at batch 4, for all alike" in page
    assert "<td>with &lt;AI&gt;</td>" in page
    write_json(tmp_path / "ablation.json", {"benchmark": "ablation", **shared, "data": {}, "variants": {}, "recipe": RECIPE})
    with pytest.raises(UsageError, match=r"'images'|'name'|'split'"):
        write_report([run, tmp_path / "ablation.json"], tmp_path / "report.html")


def test_results_that_do_not_belong_together(run: Path, tmp_path: Path) -> None:
    def changed(**values: Any) -> Path:
        result = {**json.loads((run / "accuracy_blocks.json").read_text()), **values}
        write_json(tmp_path / "accuracy_changed.json", result)
        return tmp_path / "accuracy_changed.json"

    out = tmp_path / "report.html"
    data = json.loads((run / "accuracy_other.json").read_text())["data"]
    with pytest.raises(UsageError, match=r"'split' is val .* test"):
        write_report([run, changed(method="new", data={**data, "split": "test"})], out)
    with pytest.raises(UsageError, match=r"'name' is public .* own"):
        write_report([run, changed(method="new", protocol={"name": "own"})], out)
    with pytest.raises(UsageError, match="'blocks'"):
        write_report([run, changed()], out)
    assert not out.exists()


def test_sources_that_are_no_results(run: Path, tmp_path: Path, bsds: Path) -> None:
    out = tmp_path / "report.html"
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    (tmp_path / "old.json").write_text('{"benchmark": "latency"}')
    for source, message in (
        ("nowhere.json", "nowhere.json"),
        ("empty", "empty"),
        ("broken.json", "broken.json"),
        ("old.json", "old.json lacks 'settings'"),
        ("other.json", "other.json"),
    ):
        with pytest.raises(UsageError, match=message):
            write_report([run, tmp_path / source], out)
    copy = shutil.copy(run / "accuracy_blocks.json", tmp_path / "accuracy_blocks.json")
    with pytest.raises(UsageError, match="label maps"):
        write_report([Path(copy)], out, bsds)


PROBE = """
<script>
addEventListener("error", (event) => { document.title += " ERROR " + event.message; });
addEventListener("load", () => {
  const table = document.querySelector("table");
  const button = table.tHead.rows[0].cells[1].querySelector("button");
  const column = () => [...table.tBodies[0].rows].map((row) => row.cells[1].dataset.v).join(",");
  button.click(); const down = column();
  button.click(); const up = column();
  const cell = document.querySelector("td[data-src]");
  cell.click();
  const point = document.querySelector(".plot a");
  location.hash = new URL(point.href.baseVal, location).hash;
  setTimeout(() => {
    const marked = document.querySelector("tr:target");
    const report = { down, up, source: document.getElementById("source").textContent, open: marked?.closest("details")?.open,
      drawn: [...document.querySelectorAll(".plot svg")].map((svg) => svg.getBoundingClientRect().height > 200),
      wide: document.documentElement.scrollWidth <= innerWidth,
      requests: performance.getEntriesByType("resource").filter((entry) => !entry.name.startsWith("data:")).map((entry) => entry.name) };
    document.body.insertAdjacentHTML("beforeend", `<pre id="outcome">${btoa(JSON.stringify(report))}</pre>`);
  }, 100);
});
</script>
"""


@pytest.mark.slow
def test_in_a_browser(page: str, tmp_path: Path) -> None:
    """It renders without errors or requests, sorts, says where a number stands, and opens the row of a point."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)}")
    probe = tmp_path / "probe.html"
    probe.write_text(page.replace("<head>", "<head>" + PROBE, 1))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=4000", "--window-size=1200,1000"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run([browser, *options, profile, "--dump-dom", probe.as_uri()], capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'<pre id="outcome">([A-Za-z0-9+/=]+)</pre>', shown)
    assert found, shown[-2000:]
    outcome = json.loads(base64.b64decode(found[1]))
    assert "ERROR" not in re.search(r"<title>(.*?)</title>", shown)[1]  # type: ignore[index]
    counts = [float(value) for value in outcome["up"].split(",")]
    assert counts == sorted(counts)
    assert outcome["down"] == ",".join(reversed(outcome["up"].split(",")))
    assert re.fullmatch(r"accuracy_blocks\.json#/conventions/row_mean/all_gts/sp = [\d.]+", outcome["source"])
    assert outcome["open"] is True
    assert outcome["drawn"] == [True] * 9
    assert outcome["wide"] is True
    assert outcome["requests"] == []


def test_the_published_results_make_one_report(tmp_path: Path) -> None:
    """They are of one protocol and one data set, and all methods that the README speaks of are there."""
    results = load_results([RESULTS])
    methods = [result.data["method"] for result in results.accuracy]
    assert methods == ["ainet", "ainet-lite", "scn", "ssn", "seal", "ers", "slic", "lsc", "seeds", "snic"]
    write_report([RESULTS], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for result in results.accuracy:
        assert f"{result.value('figures', 'auc', 'asa'):,.4f}</td>" in page
