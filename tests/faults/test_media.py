"""The video moves, changes or goes away while somebody works on it. See also `test_project_file`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.io.open_project import OpenProject
from model.video import open_video
from model.video.source import FrameCache
from tests.contract.clips import encode
from tests.windows import Desk, desk, film, home

__all__ = ["desk", "home"]


def said(desk: Desk) -> list[str]:
    return [notice.text for notice in desk.window.notices.notices]


def test_a_share_that_goes_away_while_scrubbing_is_said_and_comes_back(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    painted = desk.stored[0]
    desk.session.source._cache = FrameCache(1)  # nothing is at hand
    away = desk.video.rename(tmp_path / "away")
    desk.session.go_to(5)
    desk.wait(lambda: any("can no longer be read" in text for text in said(desk)))
    assert sorted(desk.stored) == [0] and (desk.stored[0] == painted).all()
    away.rename(desk.video)
    desk.go_to(6)
    desk.label(6)
    assert sorted(desk.stored) == [0, 6]


def test_a_share_that_goes_away_while_propagating_keeps_frames_and_goes_on_later(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    away, took = tmp_path / "away", desk.studio.propagating._take

    def take(number: int, frame: int, labels: object) -> None:
        took(number, frame, labels)
        if frame == 1 and desk.video.exists():
            desk.video.rename(away)

    desk.studio.inference.result.disconnect(desk.studio.propagating._take)
    desk.studio.inference.result.connect(take)
    desk.does("propagate.forward")
    desk.wait(lambda: not desk.studio.propagating.is_running)
    kept = sorted(desk.stored)
    assert kept[:2] == [0, 1]
    if away.exists() and len(kept) < 8:  # what was decoded ahead may have been enough
        assert any("can no longer be read" in text for text in said(desk))
    away.rename(desk.video)
    desk.studio.propagating.go_on()
    desk.wait(lambda: not desk.studio.propagating.is_running)
    assert sorted(desk.stored) == list(range(8))


@pytest.mark.parametrize("what", ["gone", "longer"])
def test_a_project_whose_video_is_gone_or_another_asks_and_keeps_its_labels(
    desk: Desk, tmp_path: Path, what: str
) -> None:
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(tmp_path / "swan.mer")
    painted = desk.stored[0]
    desk.session.close()
    moved = desk.video.rename(tmp_path / "moved")
    if what == "longer":
        film(desk.video, frames=11)
    desk.studio.opening.open(tmp_path / "swan.mer")
    desk.wait(lambda: bool(said(desk)))
    assert any("choose where the video lies now" in text for text in said(desk)) and not desk.session.is_open
    with pytest.raises(ValueError, match="has 11 frames" if what == "longer" else "does not exist"):
        OpenProject.open(tmp_path / "swan.mer", video=desk.video)
    desk.studio.opening.open(tmp_path / "swan.mer", video=moved)
    desk.wait(lambda: desk.session.picture is not None)
    assert (desk.stored[0] == painted).all()


def test_a_file_that_is_replaced_while_it_is_open_never_shows_what_is_not_there(tmp_path: Path) -> None:
    """By one that is shorter, by rubbish, by nothing: the frames of before, or words."""
    path = encode(tmp_path / "clip.mp4")
    other = encode(tmp_path / "other.mp4", numbers=range(5))
    for replace in (
        lambda: shutil.copy(other, path),
        lambda: path.write_bytes(bytes(5000)),
        lambda: path.unlink(),
    ):
        encode(path)
        with open_video(path, cache_bytes=0) as source:
            replace()
            for index in (0, 30, 3, 39):
                try:
                    assert source[index].image.shape == (*source.size, 3)
                except ValueError as error:
                    assert str(path) in str(error) and "\n" not in str(error)
