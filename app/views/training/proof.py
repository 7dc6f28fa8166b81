"""Was it worth it? Figures before and after, a wipe between the two on the user's video, and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QLayout, QStackedWidget, QVBoxLayout, QWidget

from app.core.proof import Measure, Proof, Verdict
from app.views import wording
from app.views.theme import UNIT
from app.views.training.pictures import Wipe
from app.views.widgets import GAP, Elided, Glyph, Meter, make_primary, push_button, row
from app.views.wording import tr

_MOOD = {
    Verdict.BETTER: ("ph.check-circle", "accent_text"),
    Verdict.SAME: ("ph.equals", "quiet"),
    Verdict.WORSE: ("ph.warning-circle", "warning"),
    Verdict.UNKNOWN: ("ph.question", "quiet"),
}
_ROWS = 8  # of figures that are shown: all videos, and the first few by themselves


class ProofPage(QWidget):
    """use: take the new encoder from now on. undo: go back to the one before. stop: measure no further. left: back."""

    use = Signal()
    undo = Signal()
    stop = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._proof: Proof | None = None
        self._glyph = QVBoxLayout()
        self.verdict, self.advice = QLabel(), QLabel(wordWrap=True)
        font = self.verdict.font()
        font.setPointSizeF(font.pointSizeF() * 1.4)
        self.verdict.setFont(font)
        self.advice.setProperty("tone", "quiet")
        self.says, self.bar = Elided(tone="quiet"), Meter(60 * UNIT, 6)
        self._table = QWidget()
        self.grid = QGridLayout(self._table)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(3 * UNIT)
        self.grid.setVerticalSpacing(UNIT // 2)
        self.wipe = Wipe(self.tr("old encoder"), self.tr("new encoder"))
        self.frames = QComboBox()
        self.frames.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.frames.currentIndexChanged.connect(lambda: self._show_frame())
        self.notes = QLabel(wordWrap=True)
        self.notes.setProperty("tone", "faint")
        self.use_button = push_button(self.tr("Use this encoder"), "ph.check", primary=True)
        self.use_button.clicked.connect(self.use)
        self.undo_button = push_button(self.tr("Back to the encoder before"), "ph.arrow-u-up-left")
        self.undo_button.clicked.connect(self.undo)
        back = push_button(self.tr("Back to the run"), "ph.arrow-left")
        back.clicked.connect(self.left)
        stop = push_button(self.tr("Stop"), "ph.stop")
        stop.clicked.connect(self.stop)
        self._pages = QStackedWidget()
        for page in (self._waiting(stop), self._result()):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._pages, 1)
        layout.addLayout(row(back, None, self.undo_button, self.use_button))
        self.set_in_use(False, False)
        self.set_progress("", 0.0)

    def set_progress(self, what: str, share: float, left: float | None = None) -> None:
        """It is being measured. left: seconds, if that is known."""
        self._proof = None
        self._pages.setCurrentIndex(0)
        self.says.set_text(what if left is None else self.tr("{0} · {1} left").format(what, wording.span(left)))
        self.bar.set_share(share)
        self.use_button.setText(GAP + self.tr("Use this encoder"))
        make_primary(self.use_button, "ph.check", False)
        self.use_button.setEnabled(False)
        self.use_button.setToolTip(self.tr("Measured first, used then"))

    def set_proof(self, proof: Proof) -> None:
        self._proof = proof
        self._pages.setCurrentIndex(1)
        icon, tone = _MOOD[proof.verdict]
        _clear(self._glyph)
        self._glyph.addWidget(Glyph(icon, 3 * UNIT, tone), alignment=Qt.AlignmentFlag.AlignTop)
        self.verdict.setText(_verdict(proof.verdict))
        self.advice.setText(_advice(proof))
        self._fill(proof.measures)
        self.notes.setText("\n".join(proof.notes))
        self.notes.setVisible(bool(proof.notes))
        self.frames.clear()
        self.frames.addItems([picture.title for picture in proof.pictures])
        for part in (self.wipe, self.frames):
            part.setVisible(bool(proof.pictures))
        self._show_frame()
        good = proof.verdict in (Verdict.BETTER, Verdict.SAME)
        words = self.tr("Use this encoder") if good else self.tr("Use it all the same")
        self.use_button.setText(GAP + words)
        make_primary(self.use_button, "ph.check", proof.verdict is Verdict.BETTER)
        self.use_button.setEnabled(not self._used)
        self.use_button.setToolTip(self.tr("For all propagations from now on; the one before is kept"))

    def set_in_use(self, used: bool, undoable: bool) -> None:
        """used: the new encoder is the one in use. undoable: there is another to go back to."""
        self._used = used
        self.use_button.setEnabled(self._proof is not None and not used)
        if used:
            self.use_button.setText(GAP + self.tr("In use"))
            self.advice.setText(self.tr("It is in use: propagations from now on use the new encoder."))
        elif self._proof is not None:
            self.set_proof(self._proof)
        self.undo_button.setVisible(used and undoable)  # else it would bring this one back

    # Inside

    def _waiting(self, stop: QWidget) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.addStretch()
        centre = Qt.AlignmentFlag.AlignHCenter
        title = QLabel(self.tr("Measuring both encoders on your videos"), alignment=centre)
        title.setFont(self.verdict.font())
        self.says.setAlignment(centre)
        column.addWidget(title)
        column.addWidget(self.says)
        column.addWidget(self.bar, alignment=centre)
        column.addSpacing(UNIT)
        column.addLayout(row(None, stop, None))
        column.addStretch()
        return page

    def _result(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2 * UNIT)
        words = QVBoxLayout()
        words.setSpacing(UNIT // 2)
        words.addWidget(self.verdict)
        words.addWidget(self.advice)
        head = row()
        head.addLayout(self._glyph)
        head.addLayout(words, 1)
        column.addLayout(head)
        column.addWidget(self._table)
        column.addWidget(self.notes)
        column.addLayout(row(self.frames, None))
        column.addWidget(self.wipe, 1)
        column.addStretch()  # where there is nothing to compare by eye
        return page

    def _fill(self, measures: tuple[Measure, ...]) -> None:
        _clear(self.grid)
        heads = ("", self.tr("old"), self.tr("new"), "", self.tr("measured on"))
        lines = [(heads, ("quiet",) * 5), *(_line(measure) for measure in measures[:_ROWS])]
        for number, (texts, tones) in enumerate(lines):
            for column, (text, tone) in enumerate(zip(texts, tones, strict=True)):
                label = QLabel(text)
                label.setProperty("tone", tone)
                if 1 <= column <= 3:
                    label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.grid.addWidget(label, number, column)
        self.grid.setColumnStretch(5, 1)

    def _show_frame(self) -> None:
        number = self.frames.currentIndex()
        if self._proof is not None and 0 <= number < len(self._proof.pictures):
            picture = self._proof.pictures[number]
            self.wipe.set_pictures(picture.before, picture.after)


def _clear(layout: QLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.deleteLater()


def _line(measure: Measure) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = {
        "reconstruction": tr("Reconstruction error"),
        "cycle": tr("Cycle error, pixels"),
    }
    name = names.get(measure.name, measure.name)
    if measure.share:
        before, after = f"{100 * measure.before:.1f} %", f"{100 * measure.after:.1f} %"
        change = f"{100 * (measure.after - measure.before):+.1f}"
        places = tr("{0} points") if measure.name.startswith("PCK") else tr("{0} labelled frames")
    else:
        before, after = f"{measure.before:.3g}", f"{measure.after:.3g}"
        change = f"{100 * (measure.after / max(measure.before, 1e-9) - 1):+.0f} %"
        places = tr("{0} pairs of frames") if measure.name == "reconstruction" else tr("{0} points there and back")
    on = places.format(measure.places)
    tones = {Verdict.BETTER: "accent", Verdict.WORSE: "warning"}
    side = "quiet" if measure.where else ""
    texts = (name, before, after, change.replace("-", "−"), f"{on} · {measure.where}" if measure.where else on)
    return texts, (side, "quiet", side, tones.get(measure.verdict, "quiet"), "quiet")


def _verdict(verdict: Verdict) -> str:
    return {
        Verdict.BETTER: tr("The new encoder is better on your videos"),
        Verdict.SAME: tr("The new encoder is as good as the old one"),
        Verdict.WORSE: tr("The new encoder is worse on your videos"),
        Verdict.UNKNOWN: tr("There was nothing to measure them on"),
    }[verdict]


def _advice(proof: Proof) -> str:
    labelled = any(m.share for m in proof.measures)
    if proof.verdict is Verdict.UNKNOWN:
        return tr("Label two frames of a video and open it, or train on some more videos: one is held out then.")
    if proof.verdict is Verdict.WORSE and not labelled:
        return tr("Judged without labels. The old encoder stays in use; longer training, or more videos, may help.")
    if proof.verdict is Verdict.WORSE:
        return tr("The old encoder stays in use. Longer training, or more videos, may help.")
    if not labelled:
        return tr("Judged without labels, which says less. With two labelled frames in the open project it is surer.")
    if proof.verdict is Verdict.SAME:
        return tr("The difference is no more than chance.")
    if not proof.by_labels:
        return tr("On your labelled frames the difference is no more than chance; on what was held out it is better.")
    return tr("Measured on frames that you labelled: it learned from none of these labels.")
