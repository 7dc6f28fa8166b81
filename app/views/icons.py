"""Icons: Phosphor, one weight, in the colours of the theme."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol
from weakref import WeakKeyDictionary

import qtawesome
from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication, QIcon, QPixmap
from shiboken6 import isValid

from app.views.theme import colours


class _Shows(Protocol):
    def setIcon(self, icon: QIcon) -> None: ...


_given: WeakKeyDictionary[_Shows, tuple[str, str]] = WeakKeyDictionary()


def icon(name: str, tone: str = "text") -> QIcon:
    """An icon by its qtawesome name, in a colour of the theme: `tone` is a field of `Colours`."""
    now = colours()
    made: QIcon = qtawesome.icon(name, color=getattr(now, tone), color_disabled=now.faint, color_on=now.accent_text)
    return made


def give(target: _Shows, name: str, tone: str = "text") -> None:
    """Set an icon that follows the theme (see `refresh`)."""
    _given[target] = name, tone
    target.setIcon(icon(name, tone))


def refresh() -> None:
    """The theme changed: draw all given icons anew."""
    for target, (name, tone) in list(_given.items()):
        if isValid(target):
            target.setIcon(icon(name, tone))


def pixmap(name: str, size: int, colour: str) -> QPixmap:
    """An icon of `size` device-independent pixels in a colour such as "#ffffff", for painting by hand."""
    screen = QGuiApplication.primaryScreen()
    return _pixmap(name, size, colour, screen.devicePixelRatio() if screen else 1.0)


@lru_cache(maxsize=256)
def _pixmap(name: str, size: int, colour: str, ratio: float) -> QPixmap:
    made: QPixmap = qtawesome.icon(name, color=colour).pixmap(QSize(size, size), ratio)
    return made
