"""The colours and fonts of the timeline, from the window's palette: dark and light follow by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPalette

CONTRAST = 3.0  # WCAG 2.1, 1.4.11: of shapes that have to be told from the ground


@dataclass(frozen=True, slots=True)
class Ink:
    """An object's colour, an edge that stands out from the ground, and what is seen on the colour."""

    fill: QColor
    edge: QColor
    hole: QColor


@dataclass(frozen=True, slots=True)
class Look:
    """ground: behind everything. band: behind lanes and thumbnails. text, dim, faint: from plain to barely seen."""

    ground: QColor
    band: QColor
    text: QColor
    dim: QColor
    faint: QColor
    accent: QColor
    font: QFont
    small: QFont
    inks: dict[int, Ink] = field(default_factory=dict)

    @classmethod
    def of(cls, palette: QPalette, font: QFont) -> Self:
        ground, text = palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText)
        small = QFont(font)
        small.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        for each in (font := QFont(font), small):
            each.setFeature(QFont.Tag("tnum"), 1)
        return cls(
            ground=ground,
            band=mixed(ground, text, 0.05),
            text=text,
            dim=mixed(ground, text, 0.62),
            faint=mixed(ground, text, 0.2),
            accent=palette.color(QPalette.ColorRole.Accent),
            font=font,
            small=small,
        )

    def lifted(self, colour: QColor) -> QColor:
        """A colour, or the nearest one of its hue that stands out from the ground."""
        bright = QColor.fromHsvF(colour.hsvHueF(), colour.hsvSaturationF(), 1.0)
        pure = bright if _luminance(self.ground) < 0.2 else colour
        steps = (colour, mixed(colour, pure, 0.5), pure, *(mixed(pure, self.text, share) for share in (0.2, 0.4, 0.6)))
        return next((step for step in steps if contrast(step, self.ground) >= CONTRAST), self.text)

    def ink(self, colour: QColor) -> Ink:
        """How to draw in a colour; worked out once for each."""
        if colour.rgb() not in self.inks:
            hole = max((QColor(255, 255, 255), QColor(0, 0, 0)), key=lambda each: contrast(each, colour))
            self.inks[colour.rgb()] = Ink(colour, self.lifted(colour), hole)
        return self.inks[colour.rgb()]

    def elided(self, text: str, width: float, font: QFont) -> str:
        return QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideRight, width)


def mixed(one: QColor, other: QColor, share: float) -> QColor:
    """Of `other` so much, of `one` the rest."""
    pairs = ((one.redF(), other.redF()), (one.greenF(), other.greenF()), (one.blueF(), other.blueF()))
    red, green, blue = ((1 - share) * a + share * b for a, b in pairs)
    return QColor.fromRgbF(red, green, blue)


def faded(colour: QColor, alpha: float) -> QColor:
    return QColor.fromRgbF(colour.redF(), colour.greenF(), colour.blueF(), alpha)


def contrast(one: QColor, other: QColor) -> float:
    """1 to 21 (WCAG 2.1, "contrast ratio")."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def premultiplied(colour: QColor) -> int:
    """A colour as a pixel of QImage.Format_ARGB32_Premultiplied."""
    alpha = colour.alpha()
    red, green, blue = (round(c * alpha / 255) for c in (colour.red(), colour.green(), colour.blue()))
    return alpha << 24 | red << 16 | green << 8 | blue


def _luminance(colour: QColor) -> float:
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (colour.redF(), colour.greenF(), colour.blueF())
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
