"""napari's widget: an image layer becomes a labels layer of regions, whose count a slider changes; regions are painted by a click."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ainet.errors import AINetError, import_failed
from ainet.merge_tree import Hierarchy
from ainet.napari.regions import BACKGROUND, Regions, shown_colours, slider_counts
from ainet.one_call import hierarchy

try:
    from magicgui.widgets import CheckBox, Container, PushButton, Slider, SpinBox, create_widget
    from napari.layers import Image, Labels
    from napari.qt.threading import thread_worker
    from napari.utils.notifications import show_error
except ImportError as error:
    raise import_failed("napari's widget", error, "pip install 'ainet-toolkit[napari,cpu]'") from error

MOST = 100_000  # regions that can be asked for
LEFT_BUTTON = 1


class SuperpixelWidget(Container):
    """Controls of the regions of one image layer.

    Names of the layers that it makes end with " regions" and " painted".
    """

    def __init__(self, napari_viewer: Any) -> None:
        self._viewer = napari_viewer
        self._regions: Regions | None = None
        self._source: Image | None = None
        self._painted: Labels | None = None  # while painting is on
        self._counts = [1]
        self.image = create_widget(label="Image", annotation=Image)
        self.finest = SpinBox(label="At most", min=1, max=MOST, value=600, tooltip="The largest number of regions that you will need")
        self.segment = PushButton(text="Segment")
        self.count = SpinBox(label="Regions", min=1, max=MOST, value=200, enabled=False)
        self.slider = Slider(label=" ", min=0, max=1, readout=False, enabled=False)
        self.paint = CheckBox(text="Paint by region", enabled=False, tooltip="A click gives a whole region the label that is selected")
        super().__init__(widgets=[self.image, self.finest, self.segment, self.count, self.slider, self.paint])
        self.segment.changed.connect(self._start)
        self.slider.changed.connect(lambda step: self.count.set_value(self._counts[step]))
        self.count.changed.connect(self._cut)
        self.paint.changed.connect(self._switch_painting)

    def _start(self) -> None:
        source = self.image.value
        if source is None:
            show_error("There is no image layer; open an image first")
            return
        try:
            limits = None if source.rgb or source.data.dtype == np.uint8 else tuple(source.contrast_limits)
            picture = shown_colours(source.data, limits)
        except AINetError as error:
            show_error(f"{source.name}: {error}")
            return
        most = min(self.finest.value, picture.shape[0] * picture.shape[1] // 4)
        self.segment.enabled = False
        self.segment.text = "Segmenting …"
        worker = thread_worker(hierarchy)(picture, most)
        worker.returned.connect(lambda tree: self._show(source, tree))
        worker.errored.connect(lambda error: show_error(str(error)))
        worker.finished.connect(self._finish)
        worker.start()

    def _finish(self) -> None:
        self.segment.enabled = True
        self.segment.text = "Segment"

    def _show(self, source: Image, tree: Hierarchy) -> None:
        self.paint.value = False
        self._source = source
        self._regions = Regions(tree, self.count.value)
        self._counts = slider_counts(self._regions.most)
        self.slider.max = len(self._counts) - 1
        self.count.max = self._regions.most
        for control in (self.count, self.slider, self.paint):
            control.enabled = True
        self._cut(self.count.value)

    def _cut(self, count: int) -> None:
        if self._regions is None:
            return
        self._regions.cut(count)
        with self.slider.changed.blocked():
            self.slider.value = int(np.searchsorted(self._counts, self._regions.count))
        self._layer("regions", self._regions.labels).data = self._regions.labels

    def _layer(self, kind: str, labels: Any) -> Labels:
        """The labels layer of a kind over the image, made with these labels where there is none."""
        source = self._source
        assert source is not None
        name = f"{source.name} {kind}"
        if name in self._viewer.layers:
            return self._viewer.layers[name]
        place = {part: getattr(source, part) for part in ("scale", "translate", "rotate", "shear", "affine")}
        return self._viewer.add_labels(labels, name=name, **place)

    def _switch_painting(self, on: bool) -> None:
        if self._regions is None:
            return
        if on:
            layer = self._layer("painted", np.full(self._regions.labels.shape, BACKGROUND, np.int32))
            layer.mouse_drag_callbacks.append(self._drag)
            self._viewer.layers.selection.active = layer
            layer.mode = "pan_zoom"
            layer.mouse_pan = False  # else a drag would move the image
            self._painted = layer
        elif self._painted is not None:  # the user may have deleted it meanwhile, from the viewer and not from here
            self._painted.mouse_drag_callbacks.remove(self._drag)
            self._painted.mouse_pan = True
            self._painted = None

    def _drag(self, layer: Labels, event: Any) -> Iterator[None]:
        """napari's callback for a press: goes on with each move until the button is let go."""
        if layer.mode != "pan_zoom" or event.button != LEFT_BUTTON:
            return
        self._paint_at(layer, event.position)
        yield
        while event.type == "mouse_move":
            self._paint_at(layer, event.position)
            yield

    def _paint_at(self, layer: Labels, position: tuple[float, ...]) -> None:
        assert self._regions is not None
        row, column = layer.world_to_data(position)[-2:]
        pixels = self._regions.pixels_at(row, column)
        if pixels is not None:
            layer.data_setitem(pixels, layer.selected_label)  # which can be undone
