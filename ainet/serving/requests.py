"""What a server does with the requests that arrive together: equal ones run as one batch, and a bad one fails alone."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ainet.decoding import check_decoded_size
from ainet.errors import NO_MEMORY, AINetError, ImageError, UsageError
from ainet.images import read_content

DEFAULT_SEGMENTS = 600
Segment = Callable[[NDArray[np.uint8], int], NDArray[np.int32]]  # images (N, H, W, 3) and a count -> labels (N, H, W)


@dataclass(frozen=True)
class Request:
    """Images of one size, RGB uint8 (N, H, W, 3), and a count for each."""

    images: NDArray[np.uint8]
    counts: tuple[int, ...]


def read_request(images: NDArray[np.uint8] | None, files: NDArray[np.object_] | None, counts: NDArray[np.int32] | None) -> Request:
    """Check what a client sent: `images` (N, H, W, 3), or `files` (N, 1), the bytes of image files; `counts` (N, 1).

    Raises:
        UsageError: not just one of images and files.
        ImageError: images over 67 megapixels; files that are no images, or differ in size.
    """
    if (images is None) == (files is None):
        raise UsageError("a request holds either 'image', RGB uint8, or 'file', the bytes of a JPEG or PNG file")
    if files is not None:
        decoded = [read_content(data, "the file sent") for data in files.reshape(-1)]
        sizes = {image.shape for image in decoded}
        if len(sizes) > 1:
            raise ImageError("the files of one request differ in size; send each in a request of its own")
        images = np.stack(decoded)
    assert images is not None
    check_decoded_size(images.shape[1], images.shape[2], "an image")
    if counts is None:
        return Request(images, (DEFAULT_SEGMENTS,) * len(images))
    return Request(images, tuple(counts.reshape(-1).tolist()))


def answer(segment: Segment, requests: Sequence[Request | AINetError]) -> list[NDArray[np.int32] | AINetError]:
    """Labels (N, H, W) of each request, or what is wrong with it; images of one size and count run together."""
    groups: dict[tuple[tuple[int, ...], int], list[tuple[int, int]]] = defaultdict(list)
    results: list[NDArray[np.int32] | AINetError] = []
    for number, request in enumerate(requests):
        if isinstance(request, AINetError):
            results.append(request)
            continue
        results.append(np.empty(request.images.shape[:3], np.int32))
        for row, count in enumerate(request.counts):
            groups[request.images.shape[1:3], count].append((number, row))
    for (_, count), members in groups.items():
        try:
            batch = np.stack([requests[number].images[row] for number, row in members])  # type: ignore[union-attr]  # errors have no members
            labels = segment(batch, count)
        except AINetError as error:  # of the size or the count, so of all members alike
            for number, _ in members:
                results[number] = error
            continue
        except MemoryError:
            for number, _ in members:
                results[number] = ImageError(NO_MEMORY)
            continue
        for (number, row), of_image in zip(members, labels, strict=True):
            result = results[number]
            if not isinstance(result, AINetError):
                result[row] = of_image
    return results
