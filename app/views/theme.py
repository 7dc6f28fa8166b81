"""How the window looks: two sets of colours, one accent, and what Qt needs to use them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from model.resources import resource

UNIT = 8  # the grid: distances are multiples of it, or of half of it

SCHEMES = {
    "system": Qt.ColorScheme.Unknown,
    "dark": Qt.ColorScheme.Dark,
    "light": Qt.ColorScheme.Light,
}


@dataclass(frozen=True, slots=True)
class Colours:
    """Colours by what they are for. Greys are neutral: next to them the video keeps its own colours.

    stage: around the picture. accent: of fills, with `on_accent` on it; accent_text: of words and lines. tint: behind
    what is chosen. faint: what cannot be used now.
    """

    window: str
    panel: str
    stage: str
    sunken: str
    raised: str
    hover: str
    line: str
    thumb: str
    knob: str
    text: str
    quiet: str
    faint: str
    accent: str
    accent_hover: str
    accent_text: str
    on_accent: str
    tint: str
    warning: str
    error: str


DARK = Colours(
    window="#1c1d20",
    panel="#222327",
    stage="#141517",
    sunken="#18191b",
    raised="#2c2e33",
    hover="#35383e",
    line="#36393f",
    thumb="#4a4e56",
    knob="#d8dade",
    text="#e4e5e8",
    quiet="#a0a4ac",
    faint="#6a6e77",
    accent="#2f6fe0",
    accent_hover="#3d7df0",
    accent_text="#7fb0ff",
    on_accent="#ffffff",
    tint="#283a57",
    warning="#e0a84a",
    error="#ee7b73",
)
LIGHT = Colours(
    window="#f1f2f4",
    panel="#f8f9fa",
    stage="#d6d8dc",
    sunken="#ffffff",
    raised="#ffffff",
    hover="#e4e6ea",
    line="#d3d6db",
    thumb="#bfc3ca",
    knob="#ffffff",
    text="#1d2025",
    quiet="#5b616b",
    faint="#9499a2",
    accent="#2563d6",
    accent_hover="#1f57c0",
    accent_text="#1f57c0",
    on_accent="#ffffff",
    tint="#d9e5fb",
    warning="#8f5b00",
    error="#c0312b",
)
_in_use = DARK


def colours() -> Colours:
    """Those in use now."""
    return _in_use


class Theme(QObject):
    """Keeps an application in the system's colours, or in those that the user prefers. One for each application."""

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self._app, self._choice = app, "system"
        app.setStyle("Fusion")
        font = QFont(app.font())
        font.setFeature(QFont.Tag("tnum"), 1)  # figures that change in place must not jump
        app.setFont(font)
        app.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    def choose(self, scheme: str) -> None:
        """ "system", "dark" or "light"; ValueError for anything else."""
        if scheme not in SCHEMES:
            raise ValueError(f'there is no theme "{scheme}"; choose one of {", ".join(SCHEMES)}')
        self._choice = scheme
        self._app.styleHints().setColorScheme(SCHEMES[scheme])  # title bars and the system's own dialogs follow
        self._apply()

    def _apply(self) -> None:
        global _in_use
        # Some platforms cannot be told a scheme, and some know of none: what was chosen counts first, then dark.
        scheme = SCHEMES[self._choice] if self._choice != "system" else self._app.styleHints().colorScheme()
        _in_use = LIGHT if scheme is Qt.ColorScheme.Light else DARK
        self._app.setPalette(palette(_in_use))
        self._app.setStyleSheet(style_sheet(_in_use))


def palette(c: Colours) -> QPalette:
    """For whatever is painted by Fusion or by hand."""
    role = QPalette.ColorRole
    made = QPalette()
    plain = {
        role.Window: c.window,
        role.WindowText: c.text,
        role.Base: c.sunken,
        role.AlternateBase: c.panel,
        role.Text: c.text,
        role.PlaceholderText: c.faint,
        role.Button: c.raised,
        role.ButtonText: c.text,
        role.BrightText: c.error,
        role.Highlight: c.accent,
        role.HighlightedText: c.on_accent,
        role.Accent: c.accent,
        role.Link: c.accent_text,
        role.ToolTipBase: c.raised,
        role.ToolTipText: c.text,
        role.Light: c.hover,
        role.Midlight: c.raised,
        role.Mid: c.line,
        role.Dark: c.stage,
        role.Shadow: c.stage,
    }
    for key, value in plain.items():
        made.setColor(key, QColor(value))
    for key in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, key, QColor(c.faint))
    return made


def style_sheet(c: Colours) -> str:
    """The style sheet of `resources/style`, with these colours."""
    source = resource("style/window.qss")
    return Template(source.read_text("utf-8")).substitute(asdict(c), style=source.parent.as_posix())


def mark(widget: QWidget, **properties: object) -> None:
    """Set what the style sheet asks for, such as tone="quiet", and have it seen."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()
