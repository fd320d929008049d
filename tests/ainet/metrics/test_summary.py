import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from ainet.errors import UsageError
from ainet.metrics import AVERAGES, GROUND_TRUTHS, Row, evaluate_image, format_summary, summarise

TOLERANCES = {"asa": 1e-8, "rec": 1e-8, "pre": 1e-8, "ue_np": 1e-8, "co": 1e-6, "ev": 1e-3, "sp": 1e-12}


def test_every_mean_of_the_reference(shared: Path) -> None:
    folder = shared / "reference" / "metrics"
    cases = json.loads((folder / "cases.json").read_text())["cases"]
    labels, ground_truths = np.load(folder / "labels.npz"), np.load(folder / "gt.npz")
    rows = []
    for case, facts in cases.items():
        if facts["kind"] == "bsds":
            image = cv2.cvtColor(cv2.imread(str(shared / "bsds500" / "images" / f"{facts['source']}.jpg")), cv2.COLOR_BGR2RGB)
            segmentations = [ground_truths[f"{case}__gt{k}"] for k in range(facts["n_gt"])]
            rows += evaluate_image(case, labels[f"{case}__slic300"], segmentations, image)
    summary = summarise(rows)
    expected = json.loads((folder / "summary_slic300" / "means.json").read_text())
    assert expected.keys() == set(GROUND_TRUTHS)
    for truths, means in expected.items():
        assert means.pop("images") == summary.images
        assert means.pop("rows") == summary.pairs[truths]
        assert means.keys() == TOLERANCES.keys()
        for metric, by_average in means.items():
            assert by_average.keys() == set(AVERAGES)
            for average, value in by_average.items():
                ours = summary.means[average][truths][metric]
                assert ours == pytest.approx(value, rel=TOLERANCES[metric]), f"{average}/{truths} {metric}"


def test_segments_above_the_50th_are_merged_into_the_first() -> None:
    labels = np.zeros((1, 54), int)
    few, many = np.repeat([[1, 50]], 27, axis=1), np.array([[1, 1, *range(1, 53)]])
    rows = evaluate_image("a", labels, [few, many])
    assert [(row.image_id, row.ground_truth) for row in rows] == [("a", 0), ("a", 1)]
    assert rows[0].merged == rows[0].metrics
    assert rows[1].metrics["asa"] == pytest.approx(3 / 54)
    assert rows[1].merged["asa"] == pytest.approx(5 / 54)  # the three of segment 1, and 51 and 52


def example() -> list[Row]:
    """Seven pairs of image a and one of b; asa is 0.1 k for pair k of a, 0.9 merged, and 0.8 for b."""
    a = [Row("a", k, {"asa": k / 10, "rec": 1.0}, {"asa": 0.9, "rec": 1.0}) for k in range(7)]
    return [*a, Row("b", 0, {"asa": 0.8, "rec": 1.0}, {"asa": 0.8, "rec": 1.0})]


def test_averages_by_hand() -> None:
    summary = summarise(example())
    assert summary.images == 2
    assert summary.pairs == {"all_gts": 8, "first5_gts": 6, "all_gts_merged_above_50": 8}
    asa = {average: {truths: values["asa"] for truths, values in of.items()} for average, of in summary.means.items()}
    assert asa["row_mean"] == pytest.approx({"all_gts": 2.9 / 8, "first5_gts": 1.8 / 6, "all_gts_merged_above_50": 7.1 / 8})
    assert asa["image_mean"] == pytest.approx({"all_gts": 0.55, "first5_gts": 0.5, "all_gts_merged_above_50": 0.85})
    assert asa["mean_min"] == pytest.approx({"all_gts": 0.4, "first5_gts": 0.4, "all_gts_merged_above_50": 0.85})
    assert asa["mean_max"] == pytest.approx({"all_gts": 0.7, "first5_gts": 0.6, "all_gts_merged_above_50": 0.85})


def test_an_undefined_value_is_not_dropped_from_the_mean() -> None:
    rows = [*example(), Row("c", 0, {"asa": math.nan, "rec": 0.0}, {"asa": math.nan, "rec": 0.0})]
    means = summarise(rows).means["row_mean"]["all_gts"]
    assert math.isnan(means["asa"])
    assert means["rec"] == pytest.approx(8 / 9)


def test_the_table_names_every_mean() -> None:
    header, *lines = format_summary(summarise(example())).splitlines()
    assert header.split() == ["mean", "over", "2", "images", "pairs", "asa", "rec"]
    assert lines[0].split() == ["row_mean/all_gts", "(main)", "8", "0.3625", "1.0000"]
    assert lines[1].split() == ["row_mean/first5_gts", "6", "0.3000", "1.0000"]
    assert [line.split()[0] for line in lines] == [f"{average}/{truths}" for average in AVERAGES for truths in GROUND_TRUTHS]
    assert len({len(line) for line in [header, *lines]}) == 1


def test_nothing_to_summarise() -> None:
    with pytest.raises(UsageError, match="no rows"):
        summarise([])
    with pytest.raises(UsageError, match="first5_gts is empty: the rows begin with ground truth 5"):
        summarise(example()[5:7])
    assert summarise(example()[4:7]).pairs["first5_gts"] == 1


def test_rows_with_different_metrics() -> None:
    other = Row("c", 0, {"asa": 0.5}, {"asa": 0.5})
    for rows in ([*example(), other], [other, *example()]):
        with pytest.raises(UsageError, match="different metrics"):
            summarise(rows)
