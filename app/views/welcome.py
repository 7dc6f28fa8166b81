"""The page without a project: drop a video, open one, try the sample, or go on where one stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QLabel,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.views import icons
from app.views.theme import UNIT, colours
from app.views.widgets import Glyph, push_button, row

Index = QModelIndex | QPersistentModelIndex
WIDTH, ACROSS, TOP = 108 * UNIT, 4, 5 * UNIT
CARD, PICTURE = QSize((WIDTH - 2 * UNIT) // ACROSS, 22 * UNIT), 15 * UNIT + 4  # the list keeps room for a scroll bar


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """detail: a line about it, such as when it was used and how much is labelled."""

    name: str
    path: Path
    thumbnail: QImage | None
    detail: str


class _Model(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.recent: list[Recent] = []

    def set(self, recent: list[Recent]) -> None:
        self.beginResetModel()
        self.recent = recent
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.recent)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        recent = self.recent[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return recent.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(recent.path)
        return None


class _Cards(QStyledItemDelegate):
    """Draws a project: a picture of it, its name, and a line about it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return CARD

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, _Model)
        recent, now = model.recent[index.row()], colours()
        rect = option.rect.adjusted(0, 0, -UNIT, -UNIT)
        lit = option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        outline = QPainterPath()
        outline.addRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), UNIT, UNIT)
        painter.fillPath(outline, QColor(now.hover if lit else now.panel))
        painter.save()
        painter.setClipPath(outline)
        self._picture(painter, QRect(rect.left(), rect.top(), rect.width(), PICTURE), recent.thumbnail)
        painter.restore()
        painter.setPen(QColor(now.accent_text if lit else now.line))
        painter.drawPath(outline)
        words = QRect(rect.left() + 10, rect.top() + PICTURE, rect.width() - 20, rect.height() - PICTURE)
        metrics, half = option.fontMetrics, words.height() // 2
        bottom, top = Qt.AlignmentFlag.AlignBottom, Qt.AlignmentFlag.AlignTop
        for text, part, where, colour in (
            (recent.name, words.adjusted(0, 0, 0, -half - 1), bottom, now.text),
            (recent.detail, words.adjusted(0, half + 1, 0, 0), top, now.quiet),
        ):
            painter.setPen(QColor(colour))
            painter.drawText(part, where, metrics.elidedText(text, Qt.TextElideMode.ElideRight, part.width()))
        painter.restore()

    def _picture(self, painter: QPainter, rect: QRect, image: QImage | None) -> None:
        now = colours()
        painter.fillRect(rect, QColor(now.sunken))
        if image is None or image.isNull():
            middle = QPoint(rect.center().x() - 2 * UNIT, rect.center().y() - 2 * UNIT)
            painter.drawPixmap(middle, icons.pixmap("ph.film-strip", 4 * UNIT, now.faint))
            return
        scale = max(rect.width() / image.width(), rect.height() / image.height())
        width, height = rect.width() / scale, rect.height() / scale
        part = QRectF((image.width() - width) / 2, (image.height() - height) / 2, width, height)
        painter.drawImage(QRectF(rect), image, part)


class _DropZone(QFrame):
    """Where a video may be dropped (as it may anywhere in the window), and the buttons for those who rather click."""

    def __init__(self) -> None:
        super().__init__()
        self.open = push_button(self.tr("Open video…"), "ph.film-strip", primary=True)
        self.folder = push_button(self.tr("Open folder…"), "ph.folder-open")
        self.sample = push_button(self.tr("Open the sample"), "ph.sparkle")
        self.open.setToolTip(self.tr("Open a video; it is read where it lies"))
        self.folder.setToolTip(self.tr("Open a project, or a folder of frames"))
        self.sample.setToolTip(self.tr("Try the program on a short film"))
        title = QLabel(self.tr("Drop a video here"), alignment=Qt.AlignmentFlag.AlignCenter)
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.4)
        title.setFont(font)
        below = QLabel(self.tr("or a folder of frames, or a project"), alignment=Qt.AlignmentFlag.AlignCenter)
        below.setProperty("tone", "quiet")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 4 * UNIT, 3 * UNIT, 4 * UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(Glyph("ph.download-simple", 4 * UNIT), alignment=Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(title)
        layout.addWidget(below)
        layout.addSpacing(2 * UNIT)
        layout.addLayout(row(None, self.open, self.folder, self.sample, None))

    def paintEvent(self, event: QPaintEvent) -> None:
        now = colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(QColor(now.thumb), 1.5, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.setBrush(QColor(now.panel))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 12, 12)
        painter.end()


class WelcomePage(QWidget):
    open_requested = Signal()
    folder_requested = Signal()
    sample_requested = Signal()
    recent_opened = Signal(Path)

    def __init__(self) -> None:
        super().__init__()
        zone = _DropZone()
        zone.open.clicked.connect(lambda: self.open_requested.emit())
        zone.folder.clicked.connect(lambda: self.folder_requested.emit())
        zone.sample.clicked.connect(lambda: self.sample_requested.emit())
        title, line = QLabel(self.tr("MER Studio")), QLabel(self.tr("Label one frame; the labels follow the video."))
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 2.2)
        font.setBold(True)
        title.setFont(font)
        line.setProperty("tone", "quiet")
        self._heading, self._none = QLabel(self.tr("Recent projects")), QLabel(self.tr("Your projects will be here."))
        self._none.setProperty("tone", "faint")
        font = self._heading.font()
        font.setBold(True)
        self._heading.setFont(font)
        self._model = _Model()
        self._cards = self._make_cards()
        column = QWidget()
        column.setMaximumWidth(WIDTH)
        inside = QVBoxLayout(column)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(UNIT)
        for part in (title, line):
            inside.addWidget(part)
        inside.addSpacing(2 * UNIT)
        inside.addWidget(zone)
        inside.addSpacing(2 * UNIT)
        for part in (self._heading, self._none):
            inside.addWidget(part)
        inside.addWidget(self._cards, 1)
        inside.addStretch()
        layout = self._around = row(None, column, None)
        layout.setStretch(1, 1000)
        self.setLayout(layout)
        self.make_room(0)
        self.set_recent([])

    def make_room(self, reached: int) -> None:
        """Begin below what lies over the page and goes down so many pixels."""
        self._around.setContentsMargins(3 * UNIT, max(TOP, reached + 2 * UNIT), 3 * UNIT, UNIT)

    def _make_cards(self) -> QListView:
        cards = QListView()
        cards.setModel(self._model)
        cards.setItemDelegate(_Cards(cards))
        cards.setAccessibleName(self.tr("Recent projects"))
        cards.setViewMode(QListView.ViewMode.IconMode)
        cards.setMovement(QListView.Movement.Static)
        cards.setResizeMode(QListView.ResizeMode.Adjust)
        cards.setUniformItemSizes(True)
        cards.setMouseTracking(True)
        cards.setFrameShape(QFrame.Shape.NoFrame)
        cards.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        cards.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        cards.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        cards.setStyleSheet("background: transparent;")
        cards.clicked.connect(self._open)
        cards.activated.connect(self._open)
        return cards

    def set_recent(self, recent: Sequence[tuple[str, Path, QImage | None, str]]) -> None:
        """(name, path, thumbnail, detail) of each, the latest first."""
        self._model.set([Recent(*one) for one in recent])
        self._cards.setVisible(bool(recent))
        self._none.setVisible(not recent)

    def _open(self, index: QModelIndex) -> None:
        self.recent_opened.emit(self._model.recent[index.row()].path)
