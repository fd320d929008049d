"""The widget "Superpixels" of napari; what napari must know of it is in napari.yaml."""
