"""The options of propagation: shown and changed in a dialog, kept by the project, undone like everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.changes import Change
from app.core.preflight import Preflight
from app.core.run_options import chosen, shown
from app.views.dialogs.run_options import RunOptionsDialog


class RunOptions(QObject):
    """reckon: what a run as things are would need; None where nothing can be propagated."""

    def __init__(self, session: Session, window: Shell, reckon: Callable[[], Preflight | None]) -> None:
        super().__init__()
        self._session, self._window, self._reckon = session, window, reckon
        self.dialog: RunOptionsDialog | None = None
        window.actions["propagate.options"].triggered.connect(lambda: self.show())
        session.changed.connect(self._follow)
        session.closing.connect(self._close)

    def show(self) -> None:
        if self.dialog is None:
            self.dialog = RunOptionsDialog(shown(self._session.document.options), self._window)
            self.dialog.changed.connect(self._choose)
            self.dialog.destroyed.connect(self._forget)
        self._show_values()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _choose(self, values: dict[str, Any]) -> None:
        document = self._session.document
        try:
            options = chosen(document.options, values)
        except ValueError as error:
            assert self.dialog is not None
            self.dialog.complain(*next(iter(values.items())), str(error))
            return
        if not document.set_options(options):
            self._show_values()

    def _follow(self, change: Change) -> None:
        if change.settings or change.references or change.span:
            self._show_values()

    def _show_values(self) -> None:
        if self.dialog is not None:
            self.dialog.show_values(shown(self._session.document.options), self._reckon())

    def _forget(self) -> None:
        self.dialog = None

    def _close(self) -> None:
        if self.dialog is not None:
            self.dialog.close()
            self.dialog = None
