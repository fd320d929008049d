"""`ainet.skimage.slic` where people call scikit-image's: same signature and returns, LIME, region graphs, region properties."""

import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS, ROOT

import ainet
from ainet.errors import ImageError, UsageError
from ainet.skimage import slic

segmentation = pytest.importorskip("skimage.segmentation")


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "coffee.jpg")[100:260, 200:400]  # 160 x 200


@pytest.fixture(scope="module")
def labels(photo: NDArray[np.uint8]) -> NDArray[np.intp]:
    return slic(photo, n_segments=80)


def test_the_signature_is_scikit_images() -> None:
    ours, theirs = inspect.signature(slic).parameters, inspect.signature(segmentation.slic).parameters
    assert [(p.name, p.kind) for p in ours.values()] == [(p.name, p.kind) for p in theirs.values()]
    for name in ("n_segments", "start_label", "mask", "channel_axis", "enforce_connectivity"):
        assert ours[name].default == theirs[name].default


@pytest.mark.parametrize("start", [0, 1])
def test_returns(photo: NDArray[np.uint8], start: int) -> None:
    ours, theirs = (function(photo, n_segments=80, start_label=start) for function in (slic, segmentation.slic))
    assert (ours.dtype, ours.shape, ours.min()) == (theirs.dtype, theirs.shape, theirs.min())
    np.testing.assert_array_equal(ours, ainet.segment(photo, 80, start_label=start))


@pytest.mark.parametrize("start", [0, 1])
def test_a_mask(photo: NDArray[np.uint8], start: int) -> None:
    rows, columns = np.indices(photo.shape[:2])
    mask = (rows - 80) ** 2 + (columns - 100) ** 2 < 60**2
    ours, theirs = (function(photo, n_segments=30, mask=mask, start_label=start) for function in (slic, segmentation.slic))
    assert set(ours[~mask]) == set(theirs[~mask]) == {start - 1}
    assert set(ours[mask]) == set(range(start, start + 30))


def test_places_of_the_channels(photo: NDArray[np.uint8], labels: NDArray[np.intp]) -> None:
    np.testing.assert_array_equal(slic(photo.transpose(2, 0, 1), 80, channel_axis=0), labels)
    np.testing.assert_array_equal(slic(photo / 255, 80), labels)
    grey = photo[:, :, 0]
    np.testing.assert_array_equal(slic(grey, 80, channel_axis=None), slic(np.stack([grey] * 3, 2), 80))


def test_the_documented_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs/scikit-image.md").read_text(), re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTOS / "chelsea.jpg", "photo.jpg")
    names: dict[str, Any] = {}
    exec(code, names)
    assert len(names["regions"]) == len(names["rag"]) == names["labels"].max()


def test_region_properties(photo: NDArray[np.uint8], labels: NDArray[np.intp]) -> None:
    measure = pytest.importorskip("skimage.measure")
    regions = measure.regionprops(labels, intensity_image=photo)
    assert [region.label for region in regions] == list(range(1, labels.max() + 1))
    np.testing.assert_allclose([region.intensity_mean for region in regions], ainet.region_table(labels, photo)["mean_colour"])


def test_region_adjacency_graph(photo: NDArray[np.uint8], labels: NDArray[np.intp]) -> None:
    graph = pytest.importorskip("skimage.graph")
    rag = graph.rag_mean_color(photo, labels, connectivity=1)
    assert {tuple(sorted(edge)) for edge in rag.edges} == {tuple(edge) for edge in ainet.adjacency(labels).tolist()}
    merged = graph.cut_threshold(labels, rag, 30)
    assert 1 < len(np.unique(merged)) < labels.max()


def test_explanation_of_a_classifier_by_lime(photo: NDArray[np.uint8]) -> None:
    """A classifier that looks at the red of one rectangle: the superpixels that weigh most are those in it."""
    lime_image = pytest.importorskip("lime.lime_image", reason="LIME is not installed: pip install lime")

    def red_inside(images: NDArray[Any]) -> NDArray[np.float64]:
        red = images[:, 40:90, 60:120, 0].mean((1, 2)) / 255
        return np.stack([red, 1 - red], 1)

    explainer = lime_image.LimeImageExplainer(random_state=0)
    explanation = explainer.explain_instance(
        photo,
        red_inside,
        labels=(0,),
        top_labels=None,
        hide_color=0,
        num_samples=300,
        segmentation_fn=lambda image: slic(image, n_segments=40, start_label=0),
    )
    np.testing.assert_array_equal(explanation.segments, slic(photo, 40, start_label=0))
    inside = set(np.unique(explanation.segments[40:90, 60:120]).tolist())
    assert {label for label, _ in explanation.local_exp[0][:5]} <= inside


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compactness", 10.0),
        ("max_num_iter", 10),
        ("sigma", 0),
        ("spacing", (1, 1)),
        ("convert2lab", True),
        ("enforce_connectivity", False),
        ("min_size_factor", 0.5),
        ("max_size_factor", 3),
        ("slic_zero", False),
        ("start_label", 2),
        ("start_label", 0.5),
        ("mask", np.ones((160, 199), bool)),
        ("n_segments", 0),
        ("channel_axis", 3),
        ("channel_axis", "last"),
    ],
)
def test_parameters_that_cannot_be(photo: NDArray[np.uint8], name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name) as caught:
        slic(photo, **{name: value})
    assert isinstance(caught.value, ValueError)


def test_images_that_cannot_be(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="channel_axis=None"):
        slic(photo[:, :, 0])
    with pytest.raises(ImageError, match="volumes"):
        slic(photo, channel_axis=None)
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        slic(photo.astype(float))
