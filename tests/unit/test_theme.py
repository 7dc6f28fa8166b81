from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from string import Template

import numpy as np
import pytest
from PySide6.QtCore import QSettings
from PySide6.QtGui import QAction, QColor, QFont, QFontMetricsF, QImage, QPalette
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.actions import ACTIONS
from app.core.keymap import KeyMap
from app.views import icons
from app.views.action_set import ActionSet
from app.views.main_window import MainWindow
from app.views.theme import DARK, LIGHT, Colours, Theme, colours, style_sheet
from app.views.widgets import ActionButton, Meter
from model.resources import resource


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    """A theme that leaves the application as it was."""
    before = QPalette(qapp.palette()), QFont(qapp.font()), qapp.styleSheet(), qapp.style().objectName()
    made = Theme(qapp)
    yield made
    made.choose("system")
    made.deleteLater()
    palette, font, sheet, style = before
    qapp.setStyleSheet(sheet)
    qapp.setStyle(style)
    qapp.setPalette(palette)
    qapp.setFont(font)


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2: 1 to 21."""

    def luminance(colour: str) -> float:
        shares = (QColor(colour).redF(), QColor(colour).greenF(), QColor(colour).blueF())
        red, green, blue = (s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("c", [DARK, LIGHT], ids=["dark", "light"])
def test_words_can_be_read_on_what_lies_behind_them(c: Colours) -> None:
    for ground in (c.window, c.panel, c.sunken, c.raised):
        for words in (c.text, c.quiet, c.accent_text, c.warning, c.error):
            assert contrast(words, ground) >= 4.5, (words, ground)
        assert contrast(c.faint, ground) >= 2.5, "what cannot be used may be faint, but not gone"
    assert contrast(c.on_accent, c.accent) >= 4.5
    assert contrast(c.on_accent, c.accent_hover) >= 3.5
    assert contrast(c.text, c.tint) >= 4.5 and contrast(c.text, c.hover) >= 4.5


@pytest.mark.parametrize("c", [DARK, LIGHT], ids=["dark", "light"])
def test_greys_are_nearly_grey(c: Colours) -> None:
    for name in ("window", "panel", "stage", "sunken", "raised", "line", "text"):
        colour = QColor(getattr(c, name))
        spread = max(colour.red(), colour.green(), colour.blue()) - min(colour.red(), colour.green(), colour.blue())
        assert spread <= 12, name


def test_the_style_sheet_uses_colours_that_exist_and_pictures_that_are_there() -> None:
    template = Template(resource("style/window.qss").read_text("utf-8"))
    assert set(template.get_identifiers()) <= asdict(DARK).keys() | {"style"}
    for line in style_sheet(LIGHT).splitlines():
        if 'url("' in line:
            assert Path(line.split('url("')[1].split('"')[0]).is_file(), line


def test_what_was_chosen_is_used(theme: Theme) -> None:
    theme.choose("light")
    assert colours() is LIGHT
    assert QApplication.palette().color(QPalette.ColorRole.Window) == QColor(LIGHT.window)
    theme.choose("dark")
    assert colours() is DARK
    with pytest.raises(ValueError, match='"pink"; choose one of system, dark, light'):
        theme.choose("pink")


def test_figures_are_all_as_wide(theme: Theme, qapp: QApplication) -> None:
    metrics = QFontMetricsF(qapp.font())
    assert len({metrics.horizontalAdvance(str(figure)) for figure in range(10)}) == 1


def test_every_icon_is_in_the_font(qapp: QApplication) -> None:
    for action in ACTIONS:
        if action.icon:
            assert not icons.icon(action.icon).isNull(), action.icon


def ink(image: QImage) -> np.ndarray:
    """The mean colour of what is drawn."""
    image = image.convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    drawn = pixels[pixels[..., 3] > 200][:, :3]
    assert len(drawn), "nothing is drawn"
    return drawn.mean(0)


def test_icons_follow_the_theme_and_the_accent(theme: Theme, qtbot: QtBot) -> None:
    actions = ActionSet(theme, KeyMap())
    actions.set_editing(True)
    button = ActionButton(actions.by_id["propagate.forward"], "push")
    qtbot.addWidget(button)

    def shade(target: QAction | QPushButton) -> float:
        return float(ink(target.icon().pixmap(18, 18).toImage()).mean())

    theme.choose("light")
    icons.refresh()
    assert shade(button) < 90 and shade(button.does) < 90
    button.set_primary(True)
    assert shade(button) > 200, "white on the accent"
    assert shade(button.does) < 90, "but not in the menu"
    theme.choose("dark")
    icons.refresh()
    assert shade(button) > 200 and shade(button.does) > 180


def test_a_window_follows_by_itself(theme: Theme, qtbot: QtBot, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(QWidget(), QWidget(), settings=settings)
    qtbot.addWidget(window)

    def shade() -> float:
        return float(ink(window.actions["file.open"].icon().pixmap(18, 18).toImage()).mean())

    theme.choose("light")
    qtbot.waitUntil(lambda: shade() < 90)
    theme.choose("dark")
    qtbot.waitUntil(lambda: shade() > 180)


def test_icons_of_widgets_that_are_gone_are_forgotten(theme: Theme, qtbot: QtBot) -> None:
    button = QPushButton()
    icons.give(button, "ph.x")
    button.deleteLater()
    qtbot.wait(1)
    icons.refresh()


def test_a_meter_is_filled_to_its_share_and_alarms(theme: Theme, qtbot: QtBot) -> None:
    theme.choose("dark")
    holder = QWidget()
    qtbot.addWidget(holder)
    meter = Meter(100, 6, alarm=0.9)
    meter.setParent(holder)

    def at(x: int) -> str:
        return meter.grab().toImage().pixelColor(x, 3).name()

    meter.set_share(0.5)
    assert (at(40), at(60)) == (DARK.accent, DARK.line)
    meter.set_share(0.95)
    assert (at(40), at(98)) == (DARK.warning, DARK.line)
    meter.set_share(7.0)
    assert at(97) == DARK.warning
