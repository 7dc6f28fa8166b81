from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest
import torch

from model.features import load_extractor
from model.memory import FeatureStore
from model.shelf import Shelf
from model.timing import Stopwatch
from tests.videos import MemoryVideo, moving_squares

CPU = torch.device("cpu")


def item(number: int) -> tuple[torch.Tensor, ...]:
    features = torch.full((3, 4, 5), float(number)).bfloat16().contiguous(memory_format=torch.contiguous_format)
    return features, torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(number))


SIZE = sum(part.nbytes for part in item(0))


def test_what_was_put_away_comes_back_as_it_was() -> None:
    shelf = Shelf(10 * SIZE)
    for number in range(4):
        shelf.put(("key", number), item(number))
    for number in (2, 0, 3, 1):
        found = shelf.get(("key", number), CPU)
        assert found is not None
        for part, expected in zip(found, item(number), strict=True):
            assert part.dtype == expected.dtype
            torch.testing.assert_close(part, expected, atol=0, rtol=0)
    assert shelf.get(("key", 9), CPU) is None


def test_beyond_its_budget_it_drops_what_was_not_asked_for_longest(tmp_path: Path) -> None:
    shelf = Shelf(3 * SIZE + 1, tmp_path)
    for number in range(3):
        shelf.put(number, item(number))
    assert shelf.get(0, CPU) is not None
    for number in (3, 4):
        shelf.put(number, item(number))
    assert [n for n in range(5) if shelf.get(n, CPU) is not None] == [0, 3, 4]
    assert len(shelf) == 3 and not list(tmp_path.iterdir())  # nothing that could be left behind


def test_a_shelf_without_room_takes_nothing() -> None:
    shelf = Shelf(SIZE - 1)
    shelf.put(0, item(0))
    assert shelf.get(0, CPU) is None


def test_a_full_disk_ends_it_quietly(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(10 * SIZE)
    shelf.put(0, item(0))
    file = shelf._file
    assert file is not None

    class Full:
        def seek(self, place: int) -> None:
            file.seek(place)

        def write(self, data: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shelf, "_file", Full())
    with caplog.at_level(logging.WARNING, "mer.shelf"):
        shelf.put(1, item(1))
        shelf.put(2, item(2))
    assert [shelf.get(n, CPU) for n in range(3)] == [None] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "features are no longer kept on disk: [Errno 28] No space left on device"
    ]


def test_the_store_encodes_nothing_twice_that_is_on_its_shelf() -> None:
    images, _ = moving_squares()
    extractor = load_extractor("lab", "cpu")
    seen = []

    class Counting:
        name, sha256, recipe, device = "lab", "-", "none", CPU

        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            seen.append(1)
            return extractor(pictures)

    source = MemoryVideo(images)
    store = FeatureStore(source, Counting(), source.size, Stopwatch(), budget=1, shelf=Shelf(1 << 30))
    first = [store.get(frame) for frame in range(6)]
    again = [store.get(frame) for frame in range(6)]
    assert len(seen) == 6
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(other, one, atol=0, rtol=0)
