"""The multi-cluster sampler: each step against answers known by construction or a plain transcription."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from model.sampler import SamplerOptions, cluster_extents, grow_regions, k_means, sample_windows


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.manual_seed(seed))


def scene(height: int = 24, width: int = 40, frames: int = 3) -> tuple[Tensor, Tensor]:
    """A left half and a right half of one feature each, and a band of noise at the bottom, in which no two cells agree.

    Returns maps [frames, C, h, w] and bool [h, w], True in the noise.
    """
    maps = 0.05 * rand(frames, 64, height, width)
    maps[:, 0, :, : width // 2] += 1
    maps[:, 1, :, width // 2 :] += 1
    noise = torch.zeros(height, width, dtype=torch.bool)
    noise[-6:] = True
    maps[:, :, noise] = rand(frames, 64, int(noise.sum()), seed=1)
    return maps, noise


class TestKMeans:
    def test_finds_well_separated_groups(self) -> None:
        centres = torch.tensor([[0.0, 0], [10, 0], [0, 10], [10, 10], [30, 30]])
        points = (centres[:, None] + 0.1 * rand(5, 40, 2)).flatten(0, 1)
        found = k_means(points[None], 5, 10)[0]
        nearest = torch.cdist(found, centres)
        assert sorted(nearest.argmin(1).tolist()) == [0, 1, 2, 3, 4]
        assert nearest.amin(1).max() < 0.1

    def test_ends_where_every_centroid_is_the_mean_of_its_points(self) -> None:
        points = rand(1, 200, 3)
        centroids = k_means(points, 4, 100)[0]
        members = torch.cdist(points[0], centroids).argmin(1)
        means = torch.stack([points[0, members == k].mean(0) for k in range(4)])
        assert torch.allclose(centroids, means, atol=1e-5)

    def test_rounds_do_not_make_it_worse(self) -> None:
        points = rand(1, 300, 5)
        spread = [torch.cdist(points, k_means(points, 6, rounds)).amin(2).square().sum().item() for rounds in range(6)]
        assert all(after <= before + 1e-3 for before, after in pairwise(spread))
        assert spread[-1] < spread[0]

    def test_the_draws_are_its_own(self) -> None:
        points = rand(2, 100, 3)
        torch.manual_seed(1)
        first, state = k_means(points, 5, 3), torch.get_rng_state()
        torch.manual_seed(2)
        assert torch.equal(first, k_means(points, 5, 3))
        torch.manual_seed(1)
        assert torch.equal(state, torch.get_rng_state())

    def test_a_batch_is_many_single_ones(self) -> None:
        points = rand(3, 80, 4)
        together = k_means(points, 3, 5)
        alone = torch.cat([k_means(p[None], 3, 5) for p in points])
        assert torch.allclose(together, alone, atol=1e-5)

    @pytest.mark.parametrize("points", [torch.ones(1, 50, 3), rand(1, 2, 3), rand(1, 1, 3)])
    def test_fewer_different_points_than_clusters(self, points: Tensor) -> None:
        centroids = k_means(points, 5, 4)
        assert centroids.shape == (1, 5, 3) and torch.isfinite(centroids).all()
        assert torch.cdist(points, centroids).amin(2).max() < 1e-3


def test_extents_by_hand() -> None:
    places = torch.tensor([[[0.0, 0], [4, 0], [4, 4], [0, 4], [9, 9], [9, 11]]])
    centres, reach = cluster_extents(places, torch.tensor([[0, 0, 0, 0, 2, 2]]), 4)
    assert torch.equal(centres[0, [0, 2]], torch.tensor([[2.0, 2], [9, 10]]))
    assert torch.allclose(reach[0, [0, 2]], torch.tensor([math.sqrt(8), 1.0]))
    assert torch.isnan(centres[0, [1, 3]]).all() and torch.isnan(reach[0, [1, 3]]).all()


def flooded(similar: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Region growing as one would tell it: from the seed, take every neighbour that is similar, and theirs."""
    grown = np.zeros(similar.shape[1:], bool)
    height, width = grown.shape
    for mask, seed in zip(similar, seeds, strict=True):
        start = divmod(int(seed), width)
        queue, met = deque([start] if mask[start] else []), {start}
        while queue:
            y, x = queue.popleft()
            grown[y, x] = True
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= near[0] < height and 0 <= near[1] < width and mask[near] and near not in met:
                    met.add(near)
                    queue.append(near)
    return grown


class TestGrowing:
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(
        st.integers(1, 14),
        st.integers(1, 14),
        st.integers(1, 4),
        st.sampled_from([0.4, 0.6, 0.8]),
        st.integers(0, 2**31),
    )
    def test_equals_a_plain_transcription(self, height: int, width: int, count: int, share: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        similar = random.random((count, height, width)) < share
        seeds = random.integers(0, height * width, count)
        before = similar.copy()
        assert np.array_equal(grow_regions(similar, seeds), flooded(similar, seeds))
        assert np.array_equal(similar, before)

    def test_corners_do_not_touch_and_memory_order_does_not_matter(self) -> None:
        similar = np.array([[[1, 0, 0], [0, 1, 1], [0, 0, 1]]], bool)
        assert grow_regions(similar, np.array([0])).sum() == 1
        assert grow_regions(np.asfortranarray(similar), np.array([4])).sum() == 3
        assert not grow_regions(similar, np.array([1])).any()  # a seed that is not similar


class TestWindows:
    @pytest.mark.parametrize(("size", "grown", "rest"), [("contract", 4, 12), ("grow", 12, 4)])
    def test_regions_get_one_second_window_and_the_rest_the_other(self, size: str, grown: int, rest: int) -> None:
        maps, noise = scene()
        sampling = sample_windows(maps[0], maps[1:], SamplerOptions(size=size, smallest=8, largest=8, wide=1.5))
        assert int(sampling.windows.origin) == 8
        assert sampling.grown[~noise].float().mean() > 0.95 and sampling.grown[noise].float().mean() < 0.1
        assert torch.equal(sampling.windows.plus, torch.where(sampling.grown, grown, rest))
        assert torch.equal(sampling.radius, sampling.windows.plus.clamp_min(8))

    def test_clusters_are_the_things_in_the_scene(self) -> None:
        maps, _ = scene()
        maps = maps[:, :, :-6]
        sampling = sample_windows(maps[0], maps[1:], SamplerOptions(clusters=2, downsample=2))
        left, right = sampling.clusters[:, :20].unique().tolist(), sampling.clusters[:, 20:].unique().tolist()
        assert len(left) == len(right) == 1 and left != right
        # Every second column from 0 to 18 and from 20 to 38, every second row from 0 to 16.
        expected = torch.tensor([[9.0, 8.0], [29.0, 8.0]])
        assert torch.allclose(sampling.centres[[left[0], right[0]]], expected, atol=1e-4)

    def test_every_cell_belongs_to_the_cluster_that_its_centre_was_made_of(self) -> None:
        query = rand(8, 15, 21) + torch.linspace(-3, 3, 21) * rand(8, 1, 1, seed=1)  # tight clusters and loose ones
        sampling = sample_windows(query, query[None], SamplerOptions(downsample=1))
        y, x = torch.meshgrid(torch.arange(15.0), torch.arange(21.0), indexing="ij")
        for number, centre in enumerate(sampling.centres):
            mine = sampling.clusters == number
            assert torch.allclose(centre, torch.stack([x[mine].mean(), y[mine].mean()]), atol=1e-4)

    def test_the_first_window_is_the_mean_radius_within_bounds(self) -> None:
        maps, _ = scene()
        options = {"clusters": 2, "downsample": 1, "smallest": 0, "largest": 99}
        maps = maps[:, :, :-6]
        # Two blocks of 18 × 20 cells: the mean distance of their cells from the middle.
        y, x = np.mgrid[:18, :20]
        radius = np.hypot(y - 8.5, x - 9.5).mean()
        free = sample_windows(maps[0], maps[1:], SamplerOptions(**options)).windows.origin
        assert int(free) == round(radius) == 7
        for bounds, expected in ({"smallest": 9}, 9), ({"largest": 5}, 5):
            bounded = sample_windows(maps[0], maps[1:], SamplerOptions(**{**options, **bounds})).windows.origin
            assert int(bounded) == expected

    def test_a_higher_threshold_grows_less(self) -> None:
        maps = normalize(rand(3, 8, 20, 20), dim=1) + 0.5
        grown = [sample_windows(maps[0], maps[1:], SamplerOptions(threshold=t)).grown for t in (-1, 0.5, 0.8, 1)]
        assert grown[0].all() and not grown[-1].any()
        assert 0 < grown[2].sum() < grown[1].sum()
        assert not (grown[2] & ~grown[1]).any()

    def test_fixed_is_one_window_for_all(self) -> None:
        maps = rand(3, 8, 9, 7)
        sampling = sample_windows(maps[0], maps[1:], SamplerOptions(size="fixed", radius=3))
        assert int(sampling.windows.origin) == 3 and sampling.windows.delta == 0
        assert sampling.radius.shape == (9, 7) and (sampling.radius == 3).all()
        assert not sampling.grown.any() and sampling.centres.tolist() == [[3.0, 4.0]]

    @pytest.mark.parametrize("size", ["contract", "grow", "fixed"])
    def test_a_batch_is_many_single_ones_and_length_does_not_count(self, size: str) -> None:
        query, references = rand(2, 16, 13, 17), rand(2, 3, 16, 13, 17, seed=1)
        options = SamplerOptions(size=size, threshold=0.2)
        together = sample_windows(query, references, options)
        for i in range(2):
            alone = sample_windows(7 * query[i], 0.1 * references[i], options)
            assert torch.equal(alone.clusters, together.clusters[i])
            assert torch.equal(alone.grown, together.grown[i])
            assert torch.equal(alone.windows.plus, together.windows.plus[i])
            assert torch.equal(alone.windows.origin, together.windows.origin[i])
            assert torch.allclose(alone.centres, together.centres[i], atol=1e-4, equal_nan=True)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 30), (5, 2)])
    def test_small_and_featureless_maps(self, shape: tuple[int, int]) -> None:
        for maps in (torch.zeros(3, 8, *shape), torch.ones(3, 8, *shape), rand(3, 8, *shape)):
            sampling = sample_windows(maps[0], maps[1:])
            assert sampling.clusters.shape == sampling.grown.shape == sampling.windows.plus.shape == shape
            assert int(sampling.windows.origin) == 6

    def test_learning_does_not_go_through_it(self) -> None:
        maps = rand(3, 8, 9, 9).requires_grad_()
        assert not sample_windows(maps[0], maps[1:]).windows.plus.requires_grad

    @pytest.mark.parametrize(
        ("name", "value"), [("size", "shrink"), ("combine", "sum"), ("clusters", 0), ("largest", 5), ("narrow", 1.5)]
    )
    def test_a_wrong_option_is_named(self, name: str, value: object) -> None:
        with pytest.raises(ValueError, match=f"{name} cannot be {value!r}"):
            SamplerOptions(**{name: value})
