"""`ainet.skimage.slic` where people call scikit-image's: same signature and returns, LIME, region graphs, region properties."""

import importlib.util
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
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
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [(p.name, p.kind, p.default) for p in theirs.values()]


def test_defaults_that_are_written_out(photo: NDArray[np.uint8], labels: NDArray[np.intp]) -> None:
    """As code does that was written for scikit-image; True for `convert2lab` is what None means for RGB."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(segmentation.slic).parameters.items() if name != "image"}
    for convert2lab in (None, True):
        np.testing.assert_array_equal(slic(photo, **{**defaults, "n_segments": 80, "convert2lab": convert2lab}), labels)
    np.testing.assert_array_equal(slic(photo, 80, 10, max_num_iter=np.int64(10), sigma=0.0, max_size_factor=3.0), labels)


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
    np.testing.assert_array_equal(slic(photo, 30, mask=mask * 255, start_label=start), ours)  # numbers, as scikit-image takes them
    hidden = np.ma.MaskedArray(photo, np.repeat(~mask[:, :, None], 3, 2))
    np.testing.assert_array_equal(slic(hidden, 30, start_label=start), ours)
    np.testing.assert_array_equal(slic(np.moveaxis(hidden, 2, 0), 30, start_label=start, channel_axis=0), ours)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # of scikit-image
def test_what_is_outside_a_mask_may_be_no_number(photo: NDArray[np.uint8], start: int) -> None:
    """It counts as black, and beyond [0, 1] as the nearer end."""
    image = photo / 255
    image[:50, :60] = np.nan
    image[60:, 150:] = np.inf
    mask = np.isfinite(image).all(2)
    ours, theirs = (function(image, n_segments=30, mask=mask, start_label=start) for function in (slic, segmentation.slic))
    assert set(ours[~mask]) == set(theirs[~mask]) == {start - 1}
    assert set(ours[mask]) == set(range(start, start + 30))
    np.testing.assert_array_equal(ours, slic(np.nan_to_num(image, posinf=1), 30, mask=mask, start_label=start))
    np.testing.assert_array_equal(ours, slic(np.ma.masked_invalid(image), 30, start_label=start))
    np.testing.assert_array_equal(ours, slic(image, 30, mask=mask.astype(float), start_label=start))
    for function in (slic, segmentation.slic):
        with pytest.raises((ImageError, ValueError), match="NaN"):
            function(image, 30)


def test_places_of_the_channels(photo: NDArray[np.uint8], labels: NDArray[np.intp]) -> None:
    np.testing.assert_array_equal(slic(photo.transpose(2, 0, 1), 80, channel_axis=0), labels)
    np.testing.assert_array_equal(slic(photo / 255, 80), labels)
    grey = photo[:, :, 0]
    np.testing.assert_array_equal(slic(grey, 80, channel_axis=None), slic(np.stack([grey] * 3, 2), 80))


def test_the_documented_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The blocks one after the other, as on a page that is read; the last with PyTorch Geometric, where it is installed."""
    pytest.importorskip("networkx")
    drop_in, lime, networkx_graph, torch_graph = re.findall(r"```python\n(.*?)```", (ROOT / "docs/scikit-image.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Image.open(PHOTOS / "chelsea.jpg").crop((0, 40, 160, 160)).save("photo.jpg")
    names: dict[str, Any] = {"classifier": lambda images: np.stack([images[:, 0, 0, 0] / 255, images[:, 0, 0, 1] / 255], 1)}
    exec(drop_in, names)
    assert len(names["regions"]) == len(names["rag"]) == names["labels"].max() == 250
    exec(networkx_graph, names)
    assert names["network"].number_of_nodes() == 250
    assert names["network"].number_of_edges() == len(ainet.adjacency(names["labels"]))
    if importlib.util.find_spec("lime"):
        exec(lime, names)
        np.testing.assert_array_equal(names["explanation"].segments, slic(names["image"], 100, start_label=0))
    if importlib.util.find_spec("torch_geometric"):
        exec(torch_graph, names)
        assert names["data"].num_nodes == 250


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
    """A classifier that looks at the red of one rectangle: what a superpixel weighs is its share of that red."""
    lime_image = pytest.importorskip("lime.lime_image", reason="LIME is not installed: pip install lime")

    rows, columns = slice(20, 140), slice(30, 170)

    def red_inside(images: NDArray[Any]) -> NDArray[np.float64]:
        red = images[:, rows, columns, 0].mean((1, 2)) / 255
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
    inside = explanation.segments[rows, columns]
    shares = np.bincount(inside.ravel(), photo[rows, columns, 0].ravel() / 255, minlength=40) / inside.size
    weights = dict(explanation.local_exp[0])
    np.testing.assert_allclose([weights[label] for label in range(40)], shares, atol=0.02)
    assert max(weights, key=lambda label: weights[label]) == shares.argmax()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("compactness", 20.0),
        ("compactness", None),
        ("max_num_iter", 11),
        ("sigma", 1),
        ("sigma", [[1], [1, 2]]),
        ("spacing", (1, 1)),
        ("convert2lab", False),
        ("enforce_connectivity", False),
        ("min_size_factor", 0),
        ("max_size_factor", 2),
        ("slic_zero", True),
        ("start_label", 2),
        ("start_label", 0.5),
        ("mask", np.ones((160, 199), bool)),
        ("n_segments", 0),
        ("channel_axis", 3),
        ("channel_axis", "last"),
        ("channel_axis", True),
        ("mask", "x"),
        ("mask", True),
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
    with pytest.raises(ImageError, match=r"\(1, 160, 200, 3\)"):
        slic(photo[None])
    for axis in (-1, None):
        with pytest.raises(ImageError, match="not None"):
            slic(None, channel_axis=axis)


@pytest.mark.parametrize("call", [slic, lambda image: ainet.graph(np.zeros(image.shape[:2], int), image)], ids=["slic", "graph"])
def test_advice_can_be_typed_at_the_call(photo: NDArray[np.uint8], call: Callable[[Any], Any]) -> None:
    """What an error recommends works there: these functions have no stretch= and no bands=."""
    bad = {
        "range": photo.astype(float),
        "depth": photo.astype(np.uint16),
        "bands": np.dstack([photo, photo]),
        "NaN": np.where(photo < 30, np.nan, photo / 255),
    }
    for image in bad.values():
        with pytest.raises(ImageError) as caught:
            call(image)
        (advice,) = re.findall(r"(?:ainet\.read_image|numpy\.nan_to_num)\(.*?\)+", str(caught.value).replace("(3, 2, 1)", "'3,2,1'"))
        call(eval(advice, {"ainet": ainet, "numpy": np, "image": image}))
        assert "--stretch" not in str(caught.value)
