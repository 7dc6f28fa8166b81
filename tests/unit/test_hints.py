from __future__ import annotations

import pytest

from app.core.actions import BY_ID
from app.core.hints import Situation, hint

JOURNEY = [
    (Situation(), "tool.click"),
    (Situation(human=1), "propagate.forward"),
    (Situation(human=1, earlier=24), "propagate.both"),
    (Situation(human=1, propagated=3, running=True), "propagate.stop"),
    (Situation(human=1, propagated=48, doubtful=3), "go.doubtful"),
    (Situation(human=2, propagated=47, stale=12, doubtful=3), "propagate.update"),
    (Situation(human=2, propagated=20, missing=27), "propagate.both"),
    (Situation(human=2, propagated=20, missing=27, doubtful=3), "go.doubtful"),
    (Situation(human=2, propagated=47), "view.play"),
    (Situation(human=2, propagated=47, exported=True), "file.export"),
]


@pytest.mark.parametrize(("now", "action"), JOURNEY)
def test_the_first_minute(now: Situation, action: str) -> None:
    said = hint(now)
    assert said.actions[0] == action
    # Every place in the text has a key to put there, and the other way round.
    for text in filter(None, (said.text, said.one)):
        filled = text.format(*(f"<{name}>" for name in said.actions))
        assert all(f"<{name}>" in filled and name in BY_ID for name in said.actions)


def test_numbers_are_those_of_the_situation() -> None:
    stale, doubtful = (
        hint(Situation(human=2, propagated=9, stale=7)),
        hint(Situation(human=2, propagated=9, doubtful=1)),
    )
    assert stale.number == 7 and "%n" in stale.text and "%n" not in stale.one
    assert doubtful.number == 1


def test_who_has_exported_is_told_of_no_doubt_but_how_to_stop_and_what_is_stale() -> None:
    assert hint(Situation(human=1, propagated=4, doubtful=2, exported=True)).actions == ("file.export", "help.keys")
    assert hint(Situation(human=1, running=True, exported=True)).actions == ("propagate.stop",)
    assert hint(Situation(human=2, propagated=4, stale=2, exported=True)).actions == ("propagate.update",)
