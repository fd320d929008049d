"""Run by the Python of an environment with napari: opens its window, works the widget with real clicks, and writes what came of it.

napari_window.py PHOTO FOLDER
"""

import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

import ainet

LIMIT = 120  # seconds that the segmentation may take


def click(viewer: napari.Viewer, row: float, column: float) -> None:
    """The left button, over a point of the image."""
    canvas = viewer.window._qt_viewer.canvas
    width, height = canvas.native.width(), canvas.native.height()
    dy, dx = np.subtract((row, column), viewer.scene.camera.center[-2:]) * viewer.scene.camera.zoom
    QTest.mouseClick(canvas.native, Qt.LeftButton, Qt.NoModifier, QPoint(round(width / 2 + dx), round(height / 2 + dy)))
    QApplication.processEvents()


def main(photo: Path, folder: Path) -> None:
    image = ainet.read_image(photo)
    viewer = napari.Viewer(show=True)
    layer = viewer.add_image(image, name="photo", scale=(2, 2), translate=(10, 20))
    _, widget = viewer.window.add_plugin_dock_widget("ainet-toolkit", "Superpixels")
    assert widget.image.value is layer
    results = {}

    widget.finest.value = 300
    widget.segment.native.click()
    end = time.monotonic() + LIMIT
    while "photo regions" not in viewer.layers:
        assert time.monotonic() < end, "no labels layer"
        QTest.qWait(50)
    QTest.qWait(500)
    regions = viewer.layers["photo regions"]
    results["at_first"] = regions.data.copy()
    results["scale"], results["translate"] = regions.scale, regions.translate

    widget.count.value = 25
    results["by_number"] = regions.data.copy()
    widget.slider.value = 11
    results["by_slider"], results["slider_count"] = regions.data.copy(), widget.count.value

    widget.paint.native.click()
    painted = viewer.layers["photo painted"]
    painted.selected_label = 3
    QTest.qWait(500)
    row, column = image.shape[0] // 3, image.shape[1] // 3
    click(viewer, *layer.data_to_world((row, column)))
    results["point"] = np.array([row, column])
    results["painted"] = painted.data.copy()
    QTest.qWait(300)
    viewer.screenshot(str(folder / "window.png"), canvas_only=False)
    painted.undo()
    results["undone"] = painted.data.copy()
    widget.paint.native.click()
    click(viewer, *layer.data_to_world((row, column)))
    results["switched_off"] = painted.data.copy()

    widget.paint.native.click()
    viewer.layers.remove(painted)  # while painting is on
    widget.paint.native.click()
    results["deleted"] = np.array(["photo painted" in viewer.layers])
    widget.paint.native.click()
    viewer.layers["photo painted"].selected_label = 5
    QTest.qWait(500)
    click(viewer, *layer.data_to_world((row, column)))
    results["painted_anew"] = viewer.layers["photo painted"].data.copy()
    widget.paint.native.click()

    viewer.add_image(np.zeros((4, 30, 40), np.uint8), name="volume")
    widget.image.reset_choices()
    widget.image.value = viewer.layers["volume"]
    widget.segment.native.click()
    notes = napari.utils.notifications.notification_manager.records
    results["refused"] = np.array([note.message for note in notes])
    np.savez(folder / "results.npz", **results)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
