"""The options of propagation in the window, and what a run with them needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLineEdit

from app.controllers import preflight
from app.controllers.preflight import reckon
from app.core.annotations import AnnotationStore
from app.core.preflight import Preflight, Resource
from app.core.run_options import RUN_OPTIONS, chosen, shown
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest
from tests.projects import ids
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]
DEFAULT = PropagationOptions()


def test_the_table_s_defaults_are_the_program_s_and_what_is_shown_can_be_chosen() -> None:
    assert shown(DEFAULT) == {option.key: option.default for option in RUN_OPTIONS}
    assert chosen(DEFAULT, shown(DEFAULT)) == DEFAULT
    other = PropagationOptions(short_side=None, radius=20, long_term=(), short_term=(1, 2), labels="hard", colour=3.0)
    assert chosen(PropagationOptions(colour=3.0), shown(other)) == other, "what has no line stays as it is"


@pytest.mark.parametrize("text", ["0", "1, x", "-1", "", "1.5"])
def test_a_memory_is_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="Short memory is made of whole numbers"):
        chosen(DEFAULT, {"short_term": text})


def test_options_are_chosen_undone_and_reset_in_the_window(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.does("propagate.options")
    dialog, document = desk.studio.run_options.dialog, desk.session.document
    assert dialog is not None and "Memory" in dialog.says.text()
    field = dialog.editor("short_term").widget
    assert isinstance(field, QLineEdit)
    for text, expected in (("1, 2", (1, 2)), ("none", (1, 2))):
        field.setText(text)
        field.editingFinished.emit()
        assert document.options.short_term == expected
    assert "whole numbers" in dialog.says.text() and field.text() == "none"
    box = dialog.editor("short_side").widget
    box.setCurrentIndex(box.findData("240"))
    assert document.options.short_side == 240 and field.text() == "1, 2"
    desk.does("edit.undo")
    assert document.options.short_side == 480 and box.currentData() == "480"
    dialog.changed.emit(shown(DEFAULT))
    assert document.options == DEFAULT and document.history.undo_name == "Change options"
    desk.studio.session.close()
    assert desk.studio.run_options.dialog is None


# What a run needs


def reckoned(
    monkeypatch: pytest.MonkeyPatch, folder: Path, free: int, device: int | None = None, cell: int = 272
) -> Preflight:
    class Memory:
        available = free

    monkeypatch.setattr(preflight.psutil, "virtual_memory", lambda: Memory)
    request = PropagationRequest((Anchor(0, LabelMap(ids((1, 1)))),))
    return reckon((request,), 1000, (480, 864), AnnotationStore(), folder, 8 << 30, None, cell, device)


def test_features_that_do_not_fit_are_kept_for_fewer_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plenty = reckoned(monkeypatch, tmp_path, 1 << 40)
    assert plenty.chunk is None and plenty.features is None
    short = reckoned(monkeypatch, tmp_path, 2 << 30)
    assert short.fits and short.chunk is not None and 8 < short.chunk < 1000
    assert short.features is not None and short.features < 2 << 30
    assert reckoned(monkeypatch, tmp_path, 1 << 20).chunk == 8, "fewer would be of no use; it does not fit"
    assert not reckoned(monkeypatch, tmp_path, 1 << 20).fits


def test_on_a_device_features_take_its_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    needs = {need.resource: need for need in reckoned(monkeypatch, tmp_path, 1 << 40, device=80 << 30).needs}
    assert needs[Resource.DEVICE].needed > needs[Resource.MEMORY].needed
    short = reckoned(monkeypatch, tmp_path, 1 << 40, device=2 << 30)
    assert short.fits and short.chunk is not None


def test_what_is_kept_goes_with_the_encoder_and_is_all_that_may_be_where_it_is_not_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def memory(cell: int) -> int:
        return reckoned(monkeypatch, tmp_path, 1 << 40, None, cell).needs[0].needed

    assert memory(272) - memory(144) == 1000 * 120 * 216 * (272 - 144)
    assert memory(0) == memory(1 << 20)
    short = reckoned(monkeypatch, tmp_path, 2 << 30, None, 0)
    assert short.fits and short.chunk is None and short.features is not None


def test_the_window_reckons_with_the_encoder_that_it_has(desk: Desk) -> None:
    """With raw colours: four numbers of fp32 for the features of a cell, and four for its colour."""
    desk.open()
    desk.label(0)
    desk.wait(lambda: desk.studio.propagating._cell > 0)
    assert desk.studio.propagating._cell == 32
