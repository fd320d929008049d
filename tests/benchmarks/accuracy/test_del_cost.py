"""DEL's cost: its loss by the paper's formula, and its merging against a plain search for the nearest pair."""

import itertools

import numpy as np
import pytest
import torch

from ainet.benchmarks.accuracy.del_cost import loss_of, merge_embeddings


def test_the_loss_is_the_papers() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 4))
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [0, 5]])
    same = np.array([[True, False, False, True, False, False], [True, True, False, True, False, False]])
    alpha = same.mean()
    total = 0.0
    for truth in same:
        for (i, j), alike in zip(edges, truth, strict=True):
            s = 2 / (1 + np.exp(np.abs(z[i] - z[j]).sum()))
            total += (1 - alpha) * np.log(s) if alike else alpha * np.log(1 - s)
    found = loss_of(torch.from_numpy(z), torch.from_numpy(edges), torch.from_numpy(same))
    assert float(found) == pytest.approx(-total / same.size, rel=1e-5)


def test_the_nearest_neighbours_merge_first() -> None:
    rng = np.random.default_rng(1)
    count = 30
    z, areas = rng.normal(size=(count, 3)), rng.integers(1, 50, count).astype(float)
    grid = np.arange(count).reshape(5, 6)
    pairs = np.concatenate([
        np.stack([grid[1:].ravel(), grid[:-1].ravel()], 1),
        np.stack([grid[:, 1:].ravel(), grid[:, :-1].ravel()], 1),
    ])  # fmt: skip
    edges = np.sort(pairs, 1).astype(np.int32)
    tree = merge_embeddings(z, areas, edges)
    groups = {i: {i} for i in range(count)}
    for merge in range(count - 1):
        means = {i: np.average(z[list(group)], axis=0, weights=areas[list(group)]) for i, group in groups.items()}
        best = min(
            (np.abs(means[a] - means[b]).sum(), a, b)
            for a, b in itertools.combinations(groups, 2)
            if any({i, j} & groups[a] and {i, j} & groups[b] for i, j in edges.tolist())
        )
        assert set(tree.children[merge].tolist()) == {best[1], best[2]}
        assert tree.costs[merge] == pytest.approx(best[0], rel=1e-5)
        groups[count + merge] = groups.pop(best[1]) | groups.pop(best[2])
    assert np.unique(tree.regions(7)).size == 7
