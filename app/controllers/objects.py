"""Which objects there are, and which of them the tools work on."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.changes import Change
from app.core.objects import ObjectInfo


class Objects(QObject):
    """chosen: another object is the current one, or another is shown alone.

    settle: called before another object is chosen: what is proposed for the old one is taken then.
    """

    chosen = Signal()

    def __init__(self, session: Session, window: Shell) -> None:
        super().__init__()
        self._session, self._window = session, window
        self.current: int | None = None
        self.solo: int | None = None
        self.settle: Callable[[], object] = lambda: None
        session.opened.connect(self._begin)
        session.changed.connect(self._follow)
        window.canvas.object_needed.connect(self.add)
        window.canvas.object_picked.connect(self.choose)
        window.timeline.object_selected.connect(self.choose)
        self._connect_panel()
        self._connect_actions()

    def _connect_panel(self) -> None:
        panel = self._window.objects_panel
        panel.object_selected.connect(self.choose)
        panel.object_added.connect(self.add)
        panel.object_renamed.connect(lambda number, name: self._change(number, name=name))
        panel.visibility_changed.connect(lambda number, on: self._change(number, visible=on))
        panel.lock_changed.connect(lambda number, on: self._change(number, locked=on))
        panel.solo_changed.connect(lambda number: self.show_alone(number or None))
        panel.object_removed.connect(self.remove)

    def _connect_actions(self) -> None:
        actions = self._window.actions
        actions["labels.new_object"].triggered.connect(lambda: self.add())
        actions["labels.remove_object"].triggered.connect(lambda: self.remove(self.current))
        actions["labels.solo"].toggled.connect(lambda on: self.show_alone(self.current if on else None))
        for number in range(1, 10):
            actions[f"object.{number}"].triggered.connect(lambda _=False, number=number: self.choose(number))

    @property
    def infos(self) -> tuple[ObjectInfo, ...]:
        return self._session.document.objects if self._session.is_open else ()

    def choose(self, number: int) -> None:
        """Make an object the current one."""
        if not any(info.id == number for info in self.infos):
            self._window.canvas.say(self.tr("There is no object {0}").format(number))
            return
        if number != self.current:
            self.settle()
            self.current = number
            self.solo = number if self.solo is not None else None
        self._show()

    def add(self) -> None:
        """A new object, which is the current one from now on."""
        self.settle()
        try:
            info, _ = self._session.document.add_object()
        except ValueError as error:
            self._window.notify(str(error), "warning")
            return
        self.current = info.id
        self._show()

    def remove(self, number: int | None) -> None:
        if number is not None:
            self.settle()
            self._session.document.remove_object(number)

    def show_alone(self, number: int | None) -> None:
        """Show one object only; None shows all again."""
        if number != self.solo:
            self.solo = number
            self._show()

    def _change(self, number: int, **fields: object) -> None:
        try:
            self._session.document.change_object(number, **fields)
        except ValueError as error:  # such as a name of nothing
            self._window.notify(str(error), "warning")
            self._show()

    def _begin(self) -> None:
        self.solo = None
        self.current = next((info.id for info in self.infos), None)
        self._show()

    def _follow(self, change: Change) -> None:
        if not change.objects:
            return
        alive = [info.id for info in self.infos]
        if self.current not in alive:
            self.current = alive[-1] if alive else None
        if self.solo not in alive:
            self.solo = None
        self._show()

    def _show(self) -> None:
        window = self._window
        window.canvas.set_objects(self.infos, self.current, self.solo)
        window.objects_panel.set_objects(self.infos, self.current, self.solo)
        window.timeline.set_current(self.current)
        for name in ("labels.remove_object", "labels.solo", "edit.erase"):
            window.set_enabled(name, self.current is not None, self.tr("There is no object yet"))
        window.actions["labels.solo"].setChecked(self.solo is not None)
        self.chosen.emit()
