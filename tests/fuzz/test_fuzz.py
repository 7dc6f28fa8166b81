"""A thousand strangers' files, always the same ones. `make fuzz` tries others."""

from __future__ import annotations

import pytest

from tests.fuzz.run import Figures, fuzz
from tests.fuzz.targets import TARGETS

INPUTS = 54  # of each target; with what is dearer tried more rarely, 1063 in all
HARD = {"deeplabcut-h5", "sleap"}  # too few inputs for one of each end
GOOD = {"settings", "recent", "runs"}  # nothing in the user's own files is refused: what is of no use is left out


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_stranger_s_file_ends_in_anything_but_a_line_of_words() -> None:
    figures: dict[str, Figures] = {}
    fuzz([(name, 0, INPUTS // target.cost) for name, target in TARGETS.items()], "mer", figures)
    defects = {name: why for found in figures.values() for name, why in found.defects.items()}
    assert not defects, "\n\n".join(f"{name}: {why}" for name, why in defects.items())
    assert sum(found.inputs for found in figures.values()) >= 1000
    for name, found in figures.items():
        assert found.accepted or name in HARD, f"every input of {name} was refused: it is not fuzzed at all"
        assert found.refused or name in GOOD, f"no input of {name} was refused: nothing in it was spoilt"
