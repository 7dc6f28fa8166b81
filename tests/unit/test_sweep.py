from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from model.evaluation.sweep import sweep_davis
from model.features import load_extractor
from model.types import PropagationOptions
from tests.features import Counting
from tests.videos import moving_squares


@pytest.fixture
def root(tmp_path: Path) -> Path:
    images, truth = moving_squares(frames=6)
    for number, (image, ids) in enumerate(zip(images, truth, strict=True)):
        for folder, array in (("JPEGImages", image), ("Annotations", ids)):
            path = tmp_path / folder / "480p" / "squares" / f"{number:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
    return tmp_path


def test_all_combinations_the_best_first_each_frame_encoded_once(root: Path) -> None:
    extractor = Counting()
    base = PropagationOptions(short_side=None)
    trials = sweep_davis(root, extractor, {"radius": [1, 6], "top_k": [1, 5]}, base=base)
    assert extractor.encoded == 6
    assert {tuple(t.settings.values()) for t in trials} == {(1, 1), (1, 5), (6, 1), (6, 5)}
    scores = [t.report.mean.as_dict()["J&F"] for t in trials]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]
    assert trials[0].report.options is not None
    assert trials[0].report.options.radius == trials[0].settings["radius"]


@pytest.mark.parametrize(("grid", "message"), [({"shade": [1]}, "shade"), ({"top_k": [0]}, "top_k cannot be 0")])
def test_what_cannot_be_swept(root: Path, grid: dict[str, list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep_davis(root, load_extractor("lab", "cpu"), grid)
