"""GeoTIFF files in, where rasterio is installed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ainet.errors import ImageError
from ainet.georeference import Georeference, read_georeference

rasterio = pytest.importorskip("rasterio", reason="rasterio is not installed: pip install 'ainet-toolkit[geo]'")
TRANSFORM = (0.5, 0.0, 430000.0, 0.0, -0.5, 5810000.0)


def geotiff(path: Path, crs: str | None, transform: tuple[float, ...] = TRANSFORM) -> Path:
    options = {"driver": "GTiff", "width": 4, "height": 3, "count": 3, "dtype": "uint8", "transform": rasterio.Affine(*transform)}
    with rasterio.open(path, "w", crs=crs, **options) as file:
        file.write(np.zeros((3, 3, 4), np.uint8))
    return path


@pytest.mark.parametrize(
    ("crs", "name"),
    [("EPSG:32633", "urn:ogc:def:crs:EPSG::32633"), ("EPSG:4326", None), (None, None)],
)
def test_what_a_geotiff_says(tmp_path: Path, crs: str | None, name: str | None) -> None:
    assert read_georeference(geotiff(tmp_path / "a.tif", crs), (3, 4)) == Georeference(TRANSFORM, name)


def test_a_system_without_a_number(tmp_path: Path) -> None:
    found = read_georeference(geotiff(tmp_path / "a.tif", "+proj=laea +lat_0=17 +lon_0=3 +ellps=bessel"), (3, 4))
    assert found is not None
    assert found.crs is not None
    assert "Lambert_Azimuthal_Equal_Area" in found.crs


def test_a_plain_tiff_has_none(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "a.tif")
    assert read_georeference(tmp_path / "a.tif", (3, 4)) is None


def test_several_pages_have_none(tmp_path: Path) -> None:
    tags = {33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 9.0, 7.0, 0.0)}
    page = Image.new("RGB", (4, 3))
    page.save(tmp_path / "a.tif", tiffinfo=tags)
    assert read_georeference(tmp_path / "a.tif", (3, 4)) == Georeference((0.5, 0, 9, 0, -0.5, 7), None)
    page.save(tmp_path / "b.tif", tiffinfo=tags, save_all=True, append_images=[page])
    assert read_georeference(tmp_path / "b.tif", (3, 4)) is None


def test_what_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("nothing")
    with pytest.raises(ImageError, match=r"a\.tif"):
        read_georeference(tmp_path / "a.tif", (3, 4))


def test_an_image_that_was_turned(tmp_path: Path) -> None:
    """Tag 274, the orientation: 6, turned by a quarter; 33550 and 33922, size and place of a pixel."""
    tags = {274: 6, 33550: (0.5, 0.5, 0.0), 33922: (0.0, 0.0, 0.0, 9.0, 7.0, 0.0)}
    Image.new("RGB", (4, 3)).save(tmp_path / "a.tif", tiffinfo=tags)
    with pytest.raises(ImageError, match="upright"):
        read_georeference(tmp_path / "a.tif", (4, 3))


def test_bands_that_pillow_does_not_know(tmp_path: Path) -> None:
    """Five of 16 bits, as satellites give them; and an image that is too large for Pillow."""
    options = {"driver": "GTiff", "transform": rasterio.Affine(*TRANSFORM), "crs": "EPSG:32633"}
    with rasterio.open(tmp_path / "a.tif", "w", width=4, height=3, count=5, dtype="uint16", **options) as file:
        file.write(np.zeros((5, 3, 4), np.uint16))
    tiles = {"tiled": True, "compress": "deflate", "sparse_ok": True}
    with rasterio.open(tmp_path / "b.tif", "w", width=16000, height=12000, count=1, dtype="uint8", **tiles, **options):
        pass
    for name, size in (("a.tif", (3, 4)), ("b.tif", (12000, 16000))):
        assert read_georeference(tmp_path / name, size) == Georeference(TRANSFORM, "urn:ogc:def:crs:EPSG::32633")
