"""Plain Python of what the native region graph and merging compute, in double precision, from pixels."""

import heapq
import math

import numpy as np
from numpy.typing import NDArray


def sides(labels: NDArray) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of neighbouring pixels (y, x) of different regions: row by row, those to the right before those below."""
    found = []
    height, width = labels.shape
    for y in range(height):
        for dy, dx in ((0, 1), (1, 0)):
            for x in range(width):
                other = (y + dy, x + dx)
                if other[0] < height and other[1] < width and labels[y, x] != labels[other] and min(labels[y, x], labels[other]) >= 0:
                    found.append(((y, x), other))
    return found


def to_lab(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB -> CIE Lab of the white D65."""
    value = image / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    xyz = light @ np.array([[0.412453, 0.212671, 0.019334], [0.357580, 0.715160, 0.119193], [0.180423, 0.072169, 0.950227]])
    xyz /= (0.950456, 1, 1.088754)
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


class Colours:
    """Lab of an image, its 3x3 means and the gradient of the means of L; pixels outside are the nearest inside."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.lab = to_lab(image)
        height, width = image.shape[:2]
        padded = np.pad(self.lab, ((1, 1), (1, 1), (0, 0)), mode="edge")
        self.mean = sum(padded[i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9
        around = np.pad(self.mean[..., 0], 1, mode="edge")
        down, right = around[2:, 1:-1] - around[:-2, 1:-1], around[1:-1, 2:] - around[1:-1, :-2]
        self.gradient = np.hypot(down, right) / 2


def graph(labels: NDArray, image: NDArray[np.uint8], values: NDArray | None = None) -> tuple[NDArray, list[tuple[int, int]], NDArray]:
    """Region sums (K, 21), edges, border sums (E, 4 + 2C); `values` (H, W, C) for every pixel of the image."""
    colours = Colours(image)
    regions = np.zeros((labels.max() + 1, 21))
    for (y, x), label in np.ndenumerate(labels):
        if label >= 0:
            lab = colours.lab[y, x]
            regions[label, :5] += [1, *lab, lab @ lab]
            regions[label, 5 + min(int(lab[0] / 12.5), 7)] += 1
            regions[label, 13 + min(int(math.log2(colours.gradient[y, x] + 0.25) + 2), 7)] += 1
    borders: dict[tuple[int, int], NDArray] = {}
    for (y, x), (v, u) in sides(labels):
        dy, dx = 2 * (v - y), 2 * (u - x)
        before = max(y - dy, 0), max(x - dx, 0)
        after = min(v + dy, labels.shape[0] - 1), min(u + dx, labels.shape[1] - 1)
        row = [
            1,
            np.linalg.norm(colours.lab[y, x] - colours.lab[v, u]),
            np.linalg.norm(colours.mean[before] - colours.mean[after]),
            (colours.gradient[y, x] + colours.gradient[v, u]) / 2,
        ]
        if values is not None:
            row += [*((values[y, x] + values[v, u]) / 2), *np.abs(values[before] - values[after])]
        edge = (min(labels[y, x], labels[v, u]), max(labels[y, x], labels[v, u]))
        borders[edge] = borders.get(edge, 0) + np.array(row, dtype=np.float64)
    channels = 0 if values is None else values.shape[2]
    return regions, list(borders), np.array(list(borders.values())).reshape(-1, 4 + 2 * channels)


def pair_features(a: NDArray, b: NDArray, border: NDArray) -> NDArray:
    """The 14 features of a pair from its sums."""
    length = border[0]
    means = [row[1:4] / row[0] for row in (a, b)]
    deviations = sorted(math.sqrt(max(row[4] / row[0] - mean @ mean, 0)) for row, mean in zip((a, b), means, strict=True))
    d = means[0] - means[1]
    small, large = sorted(math.log(row[0]) for row in (a, b))
    shares = np.abs(a[5:] / a[0] - b[5:] / b[0])
    return np.array([
        np.linalg.norm(d) / 10, abs(d[0]) / 10, np.linalg.norm(d[1:]) / 10, deviations[0] / 10, deviations[1] / 10,
        border[1] / length / 10, border[2] / length / 10, border[3] / length / 4,
        math.log(length), small, large, math.log(length) - small / 2, shares[:8].sum(), shares[8:].sum(),
    ])  # fmt: skip


def plain_cost(a: NDArray, b: NDArray, border: NDArray) -> float:
    """Of the sums of two regions and their border."""
    d = a[1:4] / a[0] - b[1:4] / b[0]
    return a[0] * b[0] / (a[0] + b[0]) * (d @ d + 20) / border[0]


class LearnedCost:
    """The same by the weights of a MergeModel, of borders that carry their code's sums after the first four values."""

    def __init__(self, model) -> None:
        self.model = model

    def with_codes(self, regions: NDArray, edges: list[tuple[int, int]], borders: NDArray) -> NDArray:
        m, rows = self.model, []
        for (a, b), border in zip(edges, borders, strict=True):
            x = np.concatenate([border[4:] / border[0], pair_features(regions[a], regions[b], border)])
            code = np.maximum(np.maximum(x @ m.border1 + m.border1_bias, 0) @ m.border2 + m.border2_bias, 0)
            rows.append([*border[:4], *(code * border[0])])
        return np.array(rows)

    def __call__(self, a: NDArray, b: NDArray, border: NDArray) -> float:
        m = self.model
        x = np.concatenate([pair_features(a, b, border), border[4:] / border[0]])
        logit = (np.maximum(x @ m.pair1 + m.pair1_bias, 0) @ m.pair2 + m.pair2_bias)[0]
        return min(a[0], b[0]) / (1 + math.exp(-logit)) / math.sqrt(border[0])


def merge(regions: NDArray, edges: list[tuple[int, int]], borders: NDArray, cost) -> tuple[list[tuple[int, int]], list[float]]:
    """Children and costs, the cheapest pair first; of equal costs the pair whose oldest edge has the lowest number."""
    sums = dict(enumerate(regions))
    around = {index: {} for index in sums}
    for number, ((a, b), border) in enumerate(zip(edges, borders, strict=True)):
        around[a][b] = around[b][a] = (number, border)
    heap = [(cost(sums[a], sums[b], row), number, a, b) for a in around for b, (number, row) in around[a].items() if a < b]
    heapq.heapify(heap)
    children, costs = [], []
    while heap:
        value, _, a, b = heapq.heappop(heap)
        if a not in sums or b not in sums:
            continue
        new = len(regions) + len(children)
        children.append((min(a, b), max(a, b)))
        costs.append(value)
        sums[new], around[new] = sums.pop(a) + sums.pop(b), {}
        for neighbour in (around[a].keys() | around[b].keys()) - {a, b}:
            parts = [around[old].pop(neighbour) for old in (a, b) if neighbour in around[old]]
            joined = (min(number for number, _ in parts), sum(row for _, row in parts))
            for old in (a, b):
                around[neighbour].pop(old, None)
            around[new][neighbour] = around[neighbour][new] = joined
            heapq.heappush(heap, (cost(sums[new], sums[neighbour], joined[1]), joined[0], min(neighbour, new), max(neighbour, new)))
        del around[a], around[b]
    return children, costs
