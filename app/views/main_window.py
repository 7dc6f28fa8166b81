"""The main window. It shows what it is told and says what the user wants; controllers do the rest.

What can be done is in `actions`; whoever does it connects to `actions[id].triggered` (or `toggled`). Choices that have
a place in a panel as well (pictures, outlines, side by side) are told once, by the panel's signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QCoreApplication, QEvent, QSettings, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.core.actions import Category
from app.core.hints import Hint
from app.core.keymap import KeyMap
from app.core.user_files import config_folder
from app.views import icons
from app.views.action_set import ActionSet
from app.views.dialogs.keys import KeysPage
from app.views.editor import EditorPage
from app.views.notice_bar import Notice, NoticeBar
from app.views.status_line import Gauge, StatusLine
from app.views.theme import UNIT, colours
from app.views.welcome import WelcomePage
from app.views.widgets import fitted

SMALLEST, USUAL = QSize(1024, 640), QSize(1280, 800)


def first_size(screen: QSize) -> QSize:
    """Of a window that nobody gave a size yet: the usual one, or as much of it as the screen has room for."""
    return fitted(USUAL, screen).expandedTo(SMALLEST)


def remembered() -> QSettings:
    """Where windows are and how they are arranged, kept beside the user's settings."""
    return QSettings(str(config_folder() / "window.ini"), QSettings.Format.IniFormat)


class MainWindow(QMainWindow):
    """dropped: files and folders. closing: sent first of all, with the event; `ignore()` it to stay open."""

    closing = Signal(object)
    dropped = Signal(list)

    def __init__(
        self, canvas: QWidget, timeline: QWidget, keymap: KeyMap | None = None, settings: QSettings | None = None
    ) -> None:
        """canvas, timeline: any widgets; the window takes them over. settings: where its geometry is remembered."""
        super().__init__()
        self.canvas, self.timeline = canvas, timeline
        self._settings = settings or remembered()
        self._set = ActionSet(self, keymap or KeyMap())
        self.actions: dict[str, QAction] = self._set.by_id  # type: ignore[assignment]
        self._editor = EditorPage(canvas, timeline, self.actions, self._set.keymap)
        self.objects_panel, self.references_panel = self._editor.objects, self._editor.references
        self.view_panel, self.transport = self._editor.view, self._editor.transport
        self.hints = self._editor.hints
        self.welcome = WelcomePage()
        self.status = StatusLine(self.actions["propagate.stop"])
        self._keys: KeysPage | None = None
        self._pages = QStackedWidget()
        self._pages.addWidget(self.welcome)
        self._pages.addWidget(self._editor)
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._pages, 1)
        layout.addWidget(self.status)
        self.notices = NoticeBar(middle, canvas)
        self.notices.reached.connect(self.welcome.make_room)
        self.setCentralWidget(middle)
        self._veil = _Veil(self)
        self.setAcceptDrops(True)
        self.setMinimumSize(SMALLEST)
        self._recent = QMenu(self.tr("Open recent"), self)
        menus = self._set.fill(self.menuBar())
        menus[Category.FILE].insertMenu(self.actions["file.sample"], self._recent)
        self.addActions(list(self.actions.values()))  # so that keys work when the menu bar is not shown
        self.actions["tool.brush"].setChecked(True)
        self.actions["view.overlay"].setChecked(True)
        self.actions["file.quit"].triggered.connect(lambda: self.close())
        self.actions["help.keys"].triggered.connect(lambda: self.show_keys())
        self.actions["go.frame"].triggered.connect(lambda: self.transport.ask_frame())
        self.actions["edit.cancel"].triggered.connect(lambda: self._cancel())
        self.actions["view.full_screen"].toggled.connect(self._set_full_screen)
        self.set_enabled("propagate.stop", False, self.tr("Nothing is being propagated"))
        self.set_recent(())
        self.set_project(None)
        self.show_page("welcome")
        self._restore()

    # What is shown

    @property
    def page(self) -> str:
        return "welcome" if self._pages.currentIndex() == 0 else "editor"

    def show_page(self, page: str) -> None:
        """ "welcome" or "editor"."""
        assert page in ("welcome", "editor"), page
        self._pages.setCurrentIndex(0 if page == "welcome" else 1)
        self._set.set_editing(page == "editor")
        (self.canvas if page == "editor" else self.welcome).setFocus()

    def set_project(self, name: str | None, unsaved: bool = False) -> None:
        """The project's name in the title, or none."""
        self.setWindowTitle(self.tr("{0}[*] – MER Studio").format(name) if name else self.tr("MER Studio[*]"))
        self.setWindowModified(bool(name) and unsaved)

    def set_recent(self, recent: Sequence[tuple[str, Path, QImage | None, str]]) -> None:
        """Recent projects as (name, path, thumbnail, detail), the latest first: on the welcome page and in the menu."""
        self.welcome.set_recent(recent)
        self._recent.clear()
        self._recent.menuAction().setVisible(bool(recent))
        for name, path, _, _ in recent:
            entry = self._recent.addAction(name.replace("&", "&&"))
            entry.setToolTip(str(path))
            entry.triggered.connect(lambda _=False, path=path: self.welcome.recent_opened.emit(path))

    def notify(
        self,
        text: str,
        level: str = "info",
        button: str | None = None,
        action: Callable[[], object] | None = None,
    ) -> Notice:
        """A line above the work: see `NoticeBar.notify`."""
        return self.notices.notify(text, level, button, action)

    def set_status(self, text: str, progress: float | None = None, eta: float | None = None) -> None:
        """What is going on, its progress 0..1, seconds left."""
        self.status.set_status(text, progress, eta)

    def set_gauges(self, gauges: Mapping[str, Gauge]) -> None:
        """What is used of the machine: see `StatusLine.set_gauges`."""
        self.status.set_gauges(gauges)

    def set_hint(self, hint: Hint | None) -> None:
        """What a new user might do next; None while no video is open."""
        self.hints.set_hint(hint)
        self.transport.set_next(hint.actions[0] if hint else "")

    # What can be done

    def set_enabled(self, name: str, enabled: bool, reason: str = "") -> None:
        """Allow an action or not; the reason is what its tooltip says then."""
        self._set.set_enabled(name, enabled, reason)

    def set_running(self, running: bool) -> None:
        """Is a propagation running? Then Space stops it."""
        self._set.set_running(running)
        self.set_enabled("propagate.stop", running, self.tr("Nothing is being propagated"))

    def set_keymap(self, keymap: KeyMap) -> None:
        """The user's keys, from now on."""
        self._set.set_keymap(keymap)
        self.hints.set_keymap(keymap)
        if self._keys is not None:
            self._keys.set_keymap(keymap)

    def set_history(self, undo: str | None, redo: str | None) -> None:
        """What would be undone and redone, if anything: names of changes, in English."""
        for name, words, what, reason in (
            ("edit.undo", self.tr("Undo"), undo, self.tr("There is nothing to undo")),
            ("edit.redo", self.tr("Redo"), redo, self.tr("There is nothing to redo")),
        ):
            named = self.tr("{0} “{1}”").format(words, QCoreApplication.translate("Changes", what)) if what else words
            self._set.set_text(name, named, words)
            self.set_enabled(name, what is not None, reason)

    def set_stale(self, frames: int) -> None:
        """How many frames an update would make anew."""
        text = self.tr("Update %n stale frames", "", frames) if frames != 1 else self.tr("Update one stale frame")
        self._set.set_text("propagate.update", text if frames else self.tr("Update"))
        self.set_enabled("propagate.update", frames > 0, self.tr("No frame is stale"))

    def set_doubtful(self, frames: int) -> None:
        """How many frames look doubtful."""
        text = self.tr("Next doubt")
        self._set.set_text("go.doubtful", self.tr("Next doubtful frame"), f"{text} ({frames})" if frames else text)
        self.set_enabled("go.doubtful", frames > 0, self.tr("No frame looks doubtful"))

    def show_keys(self) -> None:
        """The F1 page, beside the work."""
        if self._keys is None:
            self._keys = KeysPage(self._set.keymap, self)
        self._keys.show()
        self._keys.raise_()
        self._keys.activateWindow()

    # Inside

    def _set_full_screen(self, on: bool) -> None:
        state = self.windowState()
        full = Qt.WindowState.WindowFullScreen
        self.setWindowState(state | full if on else state & ~full)

    def _cancel(self) -> None:
        """Whatever has the focus: Escape is for the canvas, which knows what was begun there."""
        self.canvas.setFocus()
        self.canvas.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier))

    def _restore(self) -> None:
        geometry = self._settings.value("window/geometry")
        if not (isinstance(geometry, QByteArray) and self.restoreGeometry(geometry)):
            self.resize(first_size(self.screen().availableGeometry().size()))
        self._editor.restore(self._settings, self.actions)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit(event)
        if event.isAccepted():
            self._settings.setValue("window/geometry", self.saveGeometry())
            self._editor.save(self._settings)
            self._settings.sync()
            if self._keys is not None:
                self._keys.close()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            icons.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _files(event.mimeData().urls()):
            _accept(event)
            self._veil.lower_over(self)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._veil.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._veil.hide()
        if files := _files(event.mimeData().urls()):
            _accept(event)
            self.dropped.emit(files)


class _Veil(QWidget):
    """Covers the window while something is dragged over it, and says what letting go would do."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def lower_over(self, window: QWidget) -> None:
        self.setGeometry(window.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        now = colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(now.window)
        veil.setAlpha(225)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(QColor(now.accent_text), 2))
        painter.drawRoundedRect(self.rect().adjusted(2 * UNIT, 2 * UNIT, -2 * UNIT, -2 * UNIT), UNIT, UNIT)
        font = self.font()
        font.setPointSizeF(font.pointSizeF() * 1.6)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.tr("Let go to open"))
        painter.end()


def _accept(event: QDropEvent) -> None:
    """Take a copy or a link: after a move, whoever offers a file may delete it."""
    copy = Qt.DropAction.CopyAction
    event.setDropAction(copy if event.possibleActions() & copy else Qt.DropAction.LinkAction)
    event.accept()


def _files(urls: Sequence[QUrl]) -> list[Path]:
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
