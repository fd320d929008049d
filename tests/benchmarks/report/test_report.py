import base64
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import html5lib
import pytest
from PIL import Image
from support.paths import ROOT

from ainet.benchmarks.report import write_report
from ainet.benchmarks.report.plots import draw_all
from ainet.benchmarks.report.results import load_results
from ainet.errors import UsageError
from ainet.files import write_json

BROWSERS = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
RESULTS = ROOT / "benchmarks/results"


@pytest.fixture(scope="module")
def page(run: Path, latency: Path, regions: Path, proposals: Path, bsds: Path) -> str:
    write_report([run, latency, regions, proposals], bsds.parent / "report.html", bsds)
    return (bsds.parent / "report.html").read_text()


def test_it_is_valid_html_and_fetches_nothing(page: str) -> None:
    html5lib.HTMLParser(strict=True).parse(page)  # raises at the first error
    assert not re.search(r"https?://|//[a-z]+\.|@import|<(iframe|link rel=.?stylesheet)", page)
    uris = re.findall(r'[\s(](?:href|src)="([^"]+)"|url\("?([^")]+)', page)
    assert sum(image.startswith("data:image/jpeg") for image, _ in uris) == 2 * 4 + 3  # of two images, each with two methods; of proposals
    assert all("".join(uri).startswith(("data:", "#")) for uri in uris)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    ids = re.findall(r' id="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    targets = set(re.findall(r'href="#([^"]+)"', body)) | set(re.findall(r"url\(#([^)]+)\)", body))
    assert targets - set(ids) == set()
    points = [target for target in targets if target.startswith(("accuracy-", "counts0-", "sizes0-"))]
    assert len(points) == 2 * 3 + 4 + 2  # every point of the plots leads to its row
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


def test_pictures_of_proposals_are_named_by_method_and_cost(page: str) -> None:
    captions = re.findall(r"<img [^>]*><figcaption>([^<]*)<", page)
    assert captions == ["image", "ainet-lite, plain", "slic, del"] + 2 * ["image", "ground truth", "blocks", "other"]


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
