import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ainet.benchmarks.accuracy.evaluate import evaluate_folder
from ainet.benchmarks.accuracy.protocol import BSDS, NYUV2
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.errors import DeviceError, ImageError, ModelError, UsageError
from ainet.labels import read_labels
from ainet.metrics import evaluate_image
from ainet.metrics.summary import HEADLINE
from ainet.training.datasets import bsds500

SCALES = (0.5, 1.0, 1.6)


def run(bsds: Path, out: Path, *names: str, scales: tuple[float, ...] = SCALES, **options: Any) -> list[dict[str, Any]]:
    paths = run_accuracy(names, bsds, "val", out, protocol=replace(BSDS, scales=scales), **options)
    return [json.loads(path.read_text()) for path in paths]


def test_the_scales_of_the_public_protocol() -> None:
    counts = [54, 96, 150, 216, 294, 384, 486, 600, 726, 864, 1014, 1176, 1350, 1536, 1944]
    assert [BSDS.segments_at(scale) for scale in BSDS.scales] == counts
    assert [NYUV2.segments_at(scale) for scale in NYUV2.scales] == [300, 432, 588, 768, 972, 1200, 1452, 1728, 2028, 2352]


def test_figures_are_those_of_the_label_maps_that_are_kept(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    (result,) = run(bsds, tmp_path / "run", "blocks", keep_labels=True)
    assert methods["blocks"].calls == [150, 600, 1536] * 2
    assert (result["method"], result["parameters"], result["skipped"]) == ("blocks", {"kind": "rectangles"}, {})
    assert result["data"]["images"] == 2
    assert [entry["n_segments"] for entry in result["scales"]] == [150, 600, 1536]
    for entry in result["scales"]:
        labels = tmp_path / "run/blocks/labels" / f"{entry['scale']:g}"
        expected = evaluate_folder(labels, bsds, "val")
        rows = [
            row
            for sample in bsds500(bsds, "val")
            for row in evaluate_image(sample.image_id, read_labels(labels / f"{sample.image_id}.csv"), sample.segmentations())
        ]
        main = expected.means["row_mean"]["all_gts"]
        assert {metric: entry[metric] for metric in HEADLINE} == {metric: main[metric] for metric in HEADLINE}
        assert any(row.metrics != row.merged for row in rows)
        if entry["scale"] == 1:
            for average, by_truths in result["conventions"].items():
                for truths, means in by_truths.items():
                    assert means == {metric: expected.means[average][truths][metric] for metric in HEADLINE}
    assert result["pairs"] == {"all_gts": 5, "first5_gts": 5, "all_gts_merged_above_50": 5}
    assert len(result["conventions"]) * len(result["conventions"]["row_mean"]) == 12
    with (tmp_path / "run/accuracy_blocks.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(table) == 5 * len(SCALES)
    assert [float(line["asa"]) for line in table[-5:]] == [row.metrics["asa"] for row in rows]
    assert [float(line["merged_asa"]) for line in table[-5:]] == [row.merged["asa"] for row in rows]


def test_figures_over_the_actual_count(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    (result,) = run(bsds, tmp_path, "blocks")
    counts, asa = [entry["sp"] for entry in result["scales"]], [entry["asa"] for entry in result["scales"]]
    assert counts[0] < 384 < counts[1] < 1200 < counts[2]
    exact = np.interp(np.linspace(384, 1200, 100_001), counts, asa).mean()
    assert result["figures"]["auc"]["asa"] == pytest.approx(exact, abs=1e-6)
    assert result["figures"]["scales"]["asa"] == asa[1]  # the one scale that asks for 384 to 1200
    (short,) = run(bsds, tmp_path / "short", "blocks", scales=(1.0,))
    assert short["figures"]["auc"]["asa"] is None  # nothing is extrapolated
    assert short["figures"]["br_bp"]["mean"] is None


def test_an_interrupted_run_goes_on(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    def interrupt(number: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    blocks = methods["blocks"]
    blocks.on_call = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(bsds, tmp_path / "a", "blocks")
    blocks.on_call = lambda number: None
    blocks.calls.clear()
    assert not (tmp_path / "a/accuracy_blocks.json").exists()
    (resumed,) = run(bsds, tmp_path / "a", "blocks")
    assert blocks.calls == [600, 1536]  # of the second image: nothing twice
    (whole,) = run(bsds, tmp_path / "b", "blocks")
    assert resumed == whole
    assert (tmp_path / "a/accuracy_blocks.csv").read_bytes() == (tmp_path / "b/accuracy_blocks.csv").read_bytes()
    run(bsds, tmp_path / "b", "blocks")
    assert len(blocks.calls) == 8  # a finished run is only summed up again


def test_a_folder_of_another_run_is_refused(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    run(bsds, tmp_path / "run", "blocks")
    with pytest.raises(UsageError, match="another protocol"):
        run(bsds, tmp_path / "run", "blocks", scales=(0.5,))
    methods["blocks"].parameters = {"kind": "triangles"}
    with pytest.raises(UsageError, match=r"another parameters: .*rectangles.*triangles"):
        run(bsds, tmp_path / "run", "blocks")
    methods["blocks"].parameters = {"kind": "rectangles"}
    rows, about = tmp_path / "run/blocks/rows/11.jsonl", tmp_path / "run/blocks/run.json"
    rows.write_text(rows.read_text()[:100])
    with pytest.raises(UsageError, match=r"11\.jsonl"):
        run(bsds, tmp_path / "run", "blocks")
    rows.unlink()
    about_text = about.read_text()
    about.write_text("[1]")
    with pytest.raises(UsageError, match=r"run\.json"):
        run(bsds, tmp_path / "run", "blocks")
    about.write_text(about_text)
    truth = bsds / "groundTruth/val/11.mat"
    truth.write_bytes((bsds / "groundTruth/val/12.mat").read_bytes())
    with pytest.raises(UsageError, match="another data"):
        run(bsds, tmp_path / "run", "blocks")


def test_nyuv2(tmp_path: Path, methods: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images as the superpixel benchmark prepares them; the ground truth is the method's own blocks at scale 1."""
    monkeypatch.setitem(NYUV2.splits, "test", 2)
    image = np.zeros((448, 608, 3), np.uint8)
    truth = methods["blocks"](image, 1200) + 1
    for folder in ("images", "csv_groundTruth"):
        (tmp_path / "nyu" / folder / "test").mkdir(parents=True)
    for name in ("00000002", "00000003"):
        cv2.imwrite(str(tmp_path / f"nyu/images/test/{name}.png"), image)
        np.savetxt(tmp_path / f"nyu/csv_groundTruth/test/{name}-0.csv", truth, "%d", delimiter=",")
    methods["blocks"].calls.clear()
    (path,) = run_accuracy(["blocks"], tmp_path / "nyu", "test", tmp_path / "run", protocol=replace(NYUV2, scales=(0.5, 1.0)))
    result = json.loads(path.read_text())
    assert methods["blocks"].calls == [300, 1200] * 2
    assert (result["data"]["name"], result["data"]["split"], result["data"]["images"]) == ("NYUv2", "test", 2)
    coarse, fine = result["scales"]
    assert coarse["asa"] < fine["asa"] == 1
    assert fine["rec"] == 1
    with pytest.raises(UsageError, match="2 of the 200 images"):
        (tmp_path / "nyu/images/test").rename(tmp_path / "nyu/images/train")
        (tmp_path / "nyu/csv_groundTruth/test").rename(tmp_path / "nyu/csv_groundTruth/train")
        run_accuracy(["blocks"], tmp_path / "nyu", "train", tmp_path / "run2", protocol=NYUV2)


def test_processes_give_what_one_gives(bsds: Path, tmp_path: Path) -> None:
    seen = []
    one = run(bsds, tmp_path / "one", "slic", scales=(0.5,))
    two = run(bsds, tmp_path / "two", "slic", scales=(0.5,), jobs=2, progress=lambda *report: seen.append(report))
    assert one == two
    assert seen == [("slic", 1, 2), ("slic", 2, 2)]


def test_an_error_in_a_process_is_told(bsds: Path, tmp_path: Path) -> None:
    (bsds / "groundTruth/val/12.mat").write_bytes(b"cut off")
    with pytest.raises(ImageError, match=r"12\.mat"):
        run(bsds, tmp_path / "run", "slic", scales=(0.5,), jobs=2)


def test_a_method_that_is_not_installed_is_skipped_and_said(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    lines: list[str] = []
    (result,) = run(bsds, tmp_path, "absent", "blocks", on_skip=lines.append)
    assert lines == ["method 'absent' needs the package absent: pip install absent"]
    assert result["skipped"] == {"absent": lines[0]}
    with pytest.raises(DeviceError, match="pip install absent"):
        run(bsds, tmp_path, "absent")


def test_random_weights_have_no_accuracy(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="'untrained'"):
        run(bsds, tmp_path / "run", "blocks", "untrained")
    assert not (tmp_path / "run").exists()  # said before the work


def test_a_method_that_fails_names_the_image(bsds: Path, tmp_path: Path, methods: dict[str, Any]) -> None:
    methods["blocks"].on_call = lambda number: 1 / 0
    with pytest.raises(ModelError, match=r"blocks .* image 11 at scale 0\.5: ZeroDivisionError"):
        run(bsds, tmp_path / "run", "blocks")


def test_data_that_is_not_all_there(bsds: Path, tmp_path: Path, methods: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        run(Path("nowhere"), tmp_path, "blocks")
    with pytest.raises(UsageError, match="'vall'"):
        run_accuracy(["blocks"], bsds, "vall", tmp_path)
    with monkeypatch.context() as patch, pytest.raises(UsageError, match="2 of the 100 images"):
        patch.setitem(BSDS.splits, "val", 100)
        run(bsds, tmp_path, "blocks")
    (bsds / "groundTruth/val/12.mat").unlink()
    with pytest.raises(UsageError, match="12 has no ground truth"):
        run(bsds, tmp_path, "blocks")
