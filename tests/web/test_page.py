"""The page in a real browser: labels as in Python, files that it saves, and everything that a visitor can bring or lack."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.browser import Browser, browser
from support.page import ENGINES, FINEST, READY, labels_of, open_photo, page_bytes, save_labels, set_count
from support.paths import PHOTOS

import ainet
from ainet.runtime.oversegmentation import plan_finer

pytestmark = pytest.mark.slow

LINE = (255, 210, 63)
PHOTO_NAMES = ("astronaut", "chelsea", "coffee")


@pytest.mark.parametrize("name", PHOTO_NAMES)
def test_labels_equal_those_of_python(page, segmenter, name):
    """But for single pixels: sums in the network are taken in another order, and where two cells are equally good the other may win."""
    file = PHOTOS / f"{name}.jpg"
    tree = segmenter.hierarchy(ainet.read_image(file), FINEST)
    assert f"{tree.max_segments:,} superpixels" in open_photo(page, file)
    for count in (20, 600):
        set_count(page, count)
        labels = save_labels(page, tree.labels.shape)
        assert labels.max() == count - 1
        assert (labels == tree.cut(count)).mean() > 0.999
    assert page.errors == []


def test_pictures_that_are_saved(page):
    """They equal what Python draws from the page's labels."""
    file = PHOTOS / "chelsea.jpg"
    image = ainet.read_image(file)
    open_photo(page, file)
    set_count(page, 90)
    labels = save_labels(page, image.shape[:2])
    outlines = np.array(Image.open(page.download("document.querySelector('#png').click()", ".png")).convert("RGB"))
    page.evaluate("document.querySelector('#colours').click()")
    page.wait_for("document.querySelector('canvas').ariaLabel.includes('mean colours')")
    colours = np.array(Image.open(page.download("document.querySelector('#png').click()", ".png")).convert("RGB"))
    np.testing.assert_array_equal(outlines, ainet.overlay(image, labels, LINE))
    np.testing.assert_array_equal(colours, ainet.mean_colour(image, labels))


def test_geojson_names_size_and_colour_of_each_region(page):
    file = PHOTOS / "coffee.jpg"
    image = ainet.read_image(file)
    open_photo(page, file)
    set_count(page, 40)
    saved = page.download("document.querySelector('#geojson').click()", ".geojson")
    table = ainet.region_table(labels_of(saved, image.shape[:2]), image)
    properties = [feature["properties"] for feature in json.loads(saved.read_text())["features"]]
    assert [one["region"] for one in properties] == table["label"].tolist()
    assert [one["pixels"] for one in properties] == table["area"].tolist()
    assert [one["colour"] for one in properties] == np.round(table["mean_colour"]).astype(int).tolist()


def test_nothing_is_asked_of_another_host(page, address):
    assert len(page.requests) > 10
    assert [url for url in page.requests if not url.startswith((address, f"blob:{address}"))] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_loaded_is_at_most_8_megabytes(page_folder, engine):
    assert page_bytes(page_folder, engine) < 8e6


def test_keyboard_alone(page):
    open_photo(page, PHOTOS / "coffee.jpg")
    set_count(page, 10)
    page.evaluate("document.activeElement.blur()")
    visited = []
    for _ in range(9):
        page.press("Tab")
        visited.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.photo"))
    assert visited == ["file", "count", "slider", "outlines", "png", "geojson", "coffee", "chelsea", "astronaut"]
    page.evaluate("document.querySelector('#slider').focus()")
    page.press("ArrowRight")
    page.wait_for("document.querySelector('canvas').ariaLabel.includes(' of 11 regions')")
    assert page.evaluate("document.querySelector('#slider').getAttribute('aria-valuetext')") == "11 regions"
    page.press("End")
    most = int(page.evaluate("document.querySelector('#count').max"))
    page.wait_for(f"document.querySelector('canvas').ariaLabel.includes(' of {most} regions')")


def test_a_screen_reader_finds_a_name_for_everything(page):
    names = page.names()
    expected = {
        ("button", "Choose a photo"),
        ("spinbutton", "Regions"),
        ("slider", "Number of regions"),
        ("radiogroup", "Show the regions as"),
        ("radio", "Outlines"),
        ("radio", "Mean colours"),
        ("button", "Save PNG"),
        ("button", "Save GeoJSON"),
        ("button", "A cat"),
    }
    assert expected <= set(names)
    assert [role for role, name in names if not name] == ["status"]  # whose content is read out


def test_a_photo_of_50_megapixels_is_reduced(page, tmp_path):
    rows, columns = np.mgrid[:6144, :8192].astype(np.uint16)
    image = np.stack([rows // 24, columns // 32, (rows + columns) // 64], 2).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "huge.jpg", quality=60)
    said = open_photo(page, tmp_path / "huge.jpg")
    assert "8,192 \N{MULTIPLICATION SIGN} 6,144" in said
    assert "reduced to 2,364 \N{MULTIPLICATION SIGN} 1,773" in said
    set_count(page, 12)
    saved = json.loads(page.download("document.querySelector('#geojson').click()", ".geojson").read_text())
    points = np.concatenate([ring for feature in saved["features"] for ring in feature["geometry"]["coordinates"]])
    np.testing.assert_array_equal(points.min(0), [0, 0])
    np.testing.assert_array_equal(points.max(0), [8192, 6144])


def test_what_is_no_photo_is_refused_and_the_last_photo_stays(page, tmp_path):
    superpixels = open_photo(page, PHOTOS / "chelsea.jpg").split()[0]
    (tmp_path / "broken.jpg").write_bytes((PHOTOS / "coffee.jpg").read_bytes()[:300])
    assert "no picture that the browser can read" in open_photo(page, tmp_path / "broken.jpg")
    Image.new("RGB", (40, 15)).save(tmp_path / "small.png")
    assert "at least 16 \N{MULTIPLICATION SIGN} 16" in open_photo(page, tmp_path / "small.png")
    set_count(page, 33)
    assert page.evaluate("document.querySelector('canvas').ariaLabel") == "chelsea: outlines of 33 regions"
    assert page.evaluate("document.querySelector('#count').max") == superpixels.replace(",", "")


def test_of_two_photos_at_once_the_second_is_shown(page, tmp_path):
    """Its superpixels are fewer than the regions that the first one was asked for."""
    open_photo(page, PHOTOS / "coffee.jpg")
    set_count(page, 600)
    Image.open(PHOTOS / "coffee.jpg").resize((40, 24)).save(tmp_path / "small.png")
    page.choose_file("#file", PHOTOS / "chelsea.jpg")
    said = open_photo(page, tmp_path / "small.png")
    superpixels = int(said.split()[0])
    assert superpixels < 600
    assert page.evaluate("document.querySelector('#count').max") == str(superpixels)
    assert page.evaluate("document.querySelector('canvas').ariaLabel") == f"small: outlines of {superpixels} regions"
    assert page.evaluate("[document.querySelector('canvas').width, document.querySelector('canvas').height]") == [40, 24]
    assert page.errors == []


def test_a_late_example_gives_way_to_a_photo(page):
    page.evaluate("void (globalThis.realFetch = fetch)")
    page.evaluate("globalThis.fetch = (url) => new Promise((resolve) => { globalThis.deliver = () => resolve(realFetch(url)); })")
    page.evaluate("document.querySelector('.examples button').click()")
    page.evaluate("globalThis.fetch = realFetch")
    open_photo(page, PHOTOS / "chelsea.jpg")
    page.evaluate("deliver()")
    set_count(page, 30)
    assert page.evaluate("document.querySelector('canvas').ariaLabel") == "chelsea: outlines of 30 regions"
    assert page.evaluate(READY)


def test_an_example_that_cannot_be_fetched_is_told(page):
    page.evaluate("void (globalThis.realFetch = fetch)")
    page.evaluate("globalThis.fetch = () => Promise.reject(new Error('the network is down'))")
    page.evaluate("document.querySelector('.examples button').click()")
    page.evaluate("globalThis.fetch = realFetch")
    page.wait_for("document.querySelector('.status').textContent === 'the network is down'")
    assert page.evaluate("document.querySelector('.status').classList.contains('error')")
    assert page.evaluate(READY)


@pytest.mark.parametrize("shape", [(16, 16), (16, 3000), (57, 31)])
def test_photos_of_other_sizes(page, segmenter, shape, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), np.uint8)[::8, ::8].repeat(8, 0).repeat(8, 1)[: shape[0], : shape[1]]
    Image.fromarray(image).save(tmp_path / "photo.png")
    open_photo(page, tmp_path / "photo.png")
    tree = segmenter.hierarchy(image, min(FINEST, image[:, :, 0].size // 4))
    set_count(page, 5)
    assert (save_labels(page, shape) == tree.cut(5)).mean() > 0.999


def test_without_threads(plain_address, segmenter, tmp_path):
    """By a server without the two headers, as most are, the browser gives a page one thread."""
    with browser(tmp_path) as page:
        page.open(plain_address)
        assert page.evaluate("self.crossOriginIsolated") is False
        page.wait_for(READY)
        assert "one thread" in page.text(".status")
        set_count(page, 100)
        image = ainet.read_image(PHOTOS / "coffee.jpg")
        labels = save_labels(page, image.shape[:2])
        assert (labels == segmenter.hierarchy(image, FINEST).cut(100)).mean() > 0.999
        assert page.errors == []


def test_plans_are_those_of_python(page: Browser, page_folder: Path):
    rng = np.random.default_rng(0)
    cases = [(int(h), int(w), int(min(n, h * w // 4))) for h, w, n in rng.integers((16, 16, 1), (3000, 3000, 2000), (500, 3))]
    cases += [(16, 16, 1), (16, 16, 64), (16, 3000, 600), (321, 481, 600), (321, 481, 20), (321, 481, 21)]
    rules = json.loads((page_folder / "model.json").read_text())["plan"]
    arguments = json.dumps([[*case, rules] for case in cases])
    plans = page.evaluate(f"import('./plan.js').then(({{ planFiner }}) => {arguments}.map((each) => planFiner(...each)))")
    for case, found in zip(cases, plans, strict=True):
        height, width, count = case
        plan = plan_finer(height, width, count, height * width)
        sizes = (plan.working_height, plan.working_width, plan.min_size, plan.max_size)
        assert (found["height"], found["width"], found["minSize"], found["maxSize"]) == sizes, case
