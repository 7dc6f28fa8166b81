"""What the window notes of itself, for a report of a fault."""

from __future__ import annotations

import logging
import re

import pytest
from PySide6.QtCore import qInstallMessageHandler, qWarning

from app.controllers.diagnostics import log_qt
from tests.windows import FRAMES, HEIGHT, WIDTH, Desk, desk, home

__all__ = ["desk", "home"]


def test_the_log_tells_what_was_done_but_not_to_what(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mer")
    desk.open()
    desk.label(0)
    desk.propagate()
    desk.session.close()
    text = caplog.text
    assert f"opened a folder: {FRAMES} frames of {WIDTH}×{HEIGHT}" in text
    for words in ("action canvas: Paint", "action propagate.forward", "job 1 finished", "closed"):
        assert words in text
    assert str(desk.video) not in text


def test_many_steps_of_one_kind_are_one_line(desk: Desk) -> None:
    desk.open()
    for _ in range(5):
        desk.does("go.next")
    desk.does("view.fit")
    last = desk.studio.crashes.actions[-2:]
    assert re.fullmatch(r"\d\d:\d\d:\d\d go\.next × 5", last[0]) and last[1].endswith(" view.fit")


def test_what_qt_complains_about_is_logged_and_still_said(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    before = qInstallMessageHandler(None)
    try:
        log_qt()
        qWarning("a picture is missing")
    finally:
        qInstallMessageHandler(before)
    assert ("mer.window", logging.WARNING, "Qt: a picture is missing") in caplog.record_tuples
    assert "a picture is missing" in capsys.readouterr().err
