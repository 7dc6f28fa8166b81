"""The actions of the registry as Qt knows them: with translated words, icons, keys, and reasons why not."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import QCoreApplication, QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from app.core.actions import ACTIONS, BY_ID, EXCLUSIVE, SUBMENUS, Action, Category, When, grouped
from app.core.keymap import KeyMap
from app.views import icons, wording

# What can be done before a video is open.
ANYTIME = {"file.open", "file.folder", "file.sample", "file.quit", "edit.settings", "view.full_screen"}
ANYTIME |= {action.id for action in ACTIONS if action.category in (Category.TRAIN, Category.HELP)}
ANYTIME -= {"train.adapt", "train.usual"}


def words(text: str) -> str:
    """A text of the registry in the user's language."""
    return QCoreApplication.translate("Actions", text)


class ActionSet(QObject):
    """All actions by id. They are enabled while a page allows them and `set_enabled` does not say otherwise."""

    def __init__(self, parent: QObject, keymap: KeyMap) -> None:
        super().__init__(parent)
        self.keymap = keymap
        self._running = False
        self._editing = False
        self._reasons: dict[str, str | None] = {}  # why an action cannot be used now; None = no reason was given
        self._groups: dict[str, QActionGroup] = {}
        self.by_id: dict[str, QAction] = {action.id: self._make(action) for action in ACTIONS}
        self._show_all()

    def _make(self, action: Action) -> QAction:
        made = QAction(words(action.text), self)
        made.setIconText(words(action.text).rstrip("…"))
        made.setObjectName(action.id)
        made.setProperty("glyph", action.icon)
        made.setMenuRole(QAction.MenuRole.NoRole)
        made.setCheckable(action.checkable)
        if action.icon:
            icons.give(made, action.icon)
        if action.group in EXCLUSIVE:
            group = self._groups.setdefault(action.group, QActionGroup(self))
            group.addAction(made)
        return made

    def set_enabled(self, name: str, enabled: bool, reason: str = "") -> None:
        """Allow an action or not; the reason, one sentence, is what its tooltip says then."""
        if enabled:
            self._reasons.pop(name, None)
        else:
            self._reasons[name] = reason or None
        self._show(name)

    def set_editing(self, editing: bool) -> None:
        """Is a video open? Without one there is little to do."""
        self._editing = editing
        self._show_all()

    def set_running(self, running: bool) -> None:
        """While a propagation runs, some keys do something else."""
        self._running = running
        self._show_all()

    def set_keymap(self, keymap: KeyMap) -> None:
        self.keymap = keymap
        self._show_all()

    def set_text(self, name: str, text: str, short: str = "") -> None:
        """Other words for an action: "Undo Paint" in the menu. short: on buttons, if that differs."""
        self.by_id[name].setText(text)
        self.by_id[name].setIconText(short or text)

    def fill(self, bar: QMenuBar) -> dict[Category, QMenu]:
        """A menu for every category that has actions, opened by Alt and its first letter."""
        menus = {}
        for category in Category:
            if groups := grouped(category):
                menus[category] = bar.addMenu(f"&{words(category.value)}")
                menus[category].setToolTipsVisible(True)
                for position, (group, actions) in enumerate(groups):
                    self._section(menus[category], group, actions, first=position == 0)
        return menus

    def _section(self, menu: QMenu, group: str, actions: list[Action], first: bool) -> None:
        if group in SUBMENUS:
            menu = menu.addMenu(words(SUBMENUS[group]))
            menu.setToolTipsVisible(True)
        elif not first:
            menu.addSeparator()
        menu.addActions([self.by_id[action.id] for action in actions])

    def _show_all(self) -> None:
        for name in self.by_id:
            self._show(name)

    def _show(self, name: str) -> None:
        """Bring one action up to date: whether it can be used, its keys, and what its tooltip says."""
        action, known = self.by_id[name], BY_ID[name]
        usable = self._editing or name in ANYTIME
        action.setEnabled(usable and name not in self._reasons)
        unheard = known.when is (When.IDLE if self._running else When.RUNNING)
        keys = self.keymap.keys(name)
        action.setShortcuts([] if unheard else [QKeySequence(key) for key in keys])
        title = escape(words(known.text).rstrip("…"))
        if keys:
            title += f"&nbsp;&nbsp;({escape(wording.key(keys[0]))})"
        reason = self._reasons.get(name) if usable else wording.tr("Open a video first")
        says = words(known.tooltip) if action.isEnabled() or not reason else reason
        action.setToolTip(f"<b>{title}</b><br>{escape(says)}")
