"""What a run will need, shown before a long one begins."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.core.preflight import TIGHT, Need, Preflight, Resource
from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import Glyph, Meter, push_button, row


class PreflightDialog(QDialog):
    """Accepted: the run is to begin. `exec()` it, or `open()` it and connect `accepted`."""

    def __init__(self, preflight: Preflight, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Before the run"))
        self._preflight = preflight
        icon, tone = self._mood()
        self.verdict = QLabel(self._verdict())
        font = self.verdict.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        self.verdict.setFont(font)
        self.advice = QLabel(self._advice(), wordWrap=True)
        self.advice.setProperty("tone", "quiet")
        self.advice.setVisible(bool(self.advice.text()))
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * UNIT)
        grid.setVerticalSpacing(UNIT // 4)
        self._add(grid, self.tr("Frames"), str(preflight.frames))
        unknown = self.tr("not known yet; the first frames will tell")
        time = unknown if preflight.seconds is None else self.tr("about {0}").format(wording.span(preflight.seconds))
        self._add(grid, self.tr("Time"), time)
        for need in preflight.needs:
            text = self.tr("{0} of {1} free")
            amounts = text.format(wording.amount(need.needed), wording.amount(need.free))
            self._add(grid, wording.resource(need.resource), amounts, need)
        grid.setColumnStretch(1, 1)
        words = self.tr("Start") if preflight.fits else self.tr("Start all the same")
        self.start = push_button(words, primary=preflight.fits)
        self.start.clicked.connect(self.accept)
        cancel = push_button(self.tr("Not now"), primary=not preflight.fits)
        cancel.clicked.connect(self.reject)
        default = self.start if preflight.fits else cancel
        default.setDefault(True)
        default.setFocus()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addLayout(row(Glyph(icon, 3 * UNIT, tone), self.verdict, None))
        layout.addLayout(grid)
        layout.addWidget(self.advice)
        layout.addSpacing(UNIT)
        layout.addLayout(row(None, cancel, self.start))
        self.setFixedWidth(64 * UNIT)

    def _add(self, grid: QGridLayout, name: str, words: str, need: Need | None = None) -> None:
        line = grid.rowCount()
        label = QLabel(name)
        label.setProperty("tone", "quiet")
        grid.addWidget(label, line, 0)
        grid.addWidget(QLabel(words), line, 1, 1, 1 if need else 2)
        grid.setRowMinimumHeight(line, 2 * UNIT + 4)
        if need:
            meter = Meter(16 * UNIT, 6, alarm=TIGHT)
            meter.set_share(need.share)
            grid.addWidget(meter, line, 2, Qt.AlignmentFlag.AlignVCenter)

    def _mood(self) -> tuple[str, str]:
        if not self._preflight.fits:
            return "ph.warning-octagon", "error"
        return ("ph.warning", "warning") if self._preflight.tight else ("ph.check-circle", "accent_text")

    def _verdict(self) -> str:
        if not self._preflight.fits:
            return self.tr("This run does not fit")
        return self.tr("This run fits, but only just") if self._preflight.tight else self.tr("This run fits")

    def _advice(self) -> str:
        """What makes it fit, and what happens if it does not."""
        remedies = {
            Resource.MEMORY: self.tr("Close other programs, or choose a smaller working size (Propagate → Options…)."),
            Resource.DEVICE: self.tr(
                "Choose a smaller working size (Propagate → Options…), or another device in the settings."
            ),
            Resource.DISK: self.tr("Make room on the disk, or save the project on another one."),
        }
        said = [remedies[need.resource] for need in self._preflight.tight]
        if self._preflight.tight:
            said.append(self.tr("A run that has to stop keeps its finished frames."))
        if self._preflight.chunk:
            text = self.tr(
                "Features of %n frames at a time are kept, so that memory suffices.", "", self._preflight.chunk
            )
            said.append(text)
        return " ".join(said)
