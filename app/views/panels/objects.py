"""The objects of a project: choose, name, show, lock and remove them."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QStackedLayout, QTableView, QVBoxLayout

from app.core.objects import ObjectInfo
from app.views import icons
from app.views.panels.dock import Panel
from app.views.panels.objects_model import ROW, Column, ObjectsDelegate, ObjectsModel
from app.views.theme import UNIT
from app.views.widgets import ActionButton, EmptyState, row

NO_SOLO = 0


class _Table(QTableView):
    """A click on what can be turned on and off does that, and leaves the chosen row alone."""

    pressed_on = Signal(QModelIndex)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and index.column() >= Column.VISIBLE:
            self.pressed_on.emit(index)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.indexAt(event.position().toPoint()).column() >= Column.VISIBLE:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)


class ObjectsPanel(Panel):
    """Says what the user asked for here; whoever owns the document answers with `set_objects`."""

    object_selected = Signal(int)
    object_added = Signal()
    object_renamed = Signal(int, str)
    visibility_changed = Signal(int, bool)
    lock_changed = Signal(int, bool)
    solo_changed = Signal(int)  # NO_SOLO = all objects again
    object_removed = Signal(int)

    def __init__(self, new_object: QAction) -> None:
        """new_object: the action whose words, key and reason the button shares. It is not triggered from here."""
        super().__init__(18 * UNIT, grows=True)
        self._showing = False  # what is chosen meanwhile, the user did not choose
        self._model = ObjectsModel()
        self._model.renamed.connect(self.object_renamed)
        self._view = self._make_view()
        empty = EmptyState("ph.paint-brush", self.tr("No objects yet"), self.tr("Paint on the picture to make one"))
        self._pages = QStackedLayout()
        self._pages.addWidget(empty)
        self._pages.addWidget(self._view)
        self.add_button = ActionButton(new_object, trigger=False)
        self.add_button.clicked.connect(lambda: self.object_added.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._pages, 1)
        layout.addLayout(row(self.add_button, None, margins=(UNIT // 2, UNIT // 2, UNIT // 2, UNIT // 2)))

    def _make_view(self) -> _Table:
        view = _Table()
        view.setModel(self._model)
        view.setItemDelegate(ObjectsDelegate(view))
        view.setAccessibleName(self.tr("Objects"))
        view.setShowGrid(False)
        view.setMouseTracking(True)
        view.setMinimumHeight(ROW + ROW // 2)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setTabKeyNavigation(False)
        view.verticalHeader().hide()
        view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        view.verticalHeader().setDefaultSectionSize(ROW)
        header = view.horizontalHeader()
        header.hide()
        header.setMinimumSectionSize(0)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        for column in Column:
            view.setColumnWidth(column, 7 * UNIT if column is Column.SWATCH else 3 * UNIT + 4)
        view.pressed_on.connect(self._toggle)
        view.selectionModel().selectionChanged.connect(self._choose)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._show_menu)
        return view

    def set_objects(self, objects: tuple[ObjectInfo, ...], current: int | None, solo: int | None) -> None:
        """Show these, ascending by id. current: the one that is painted; solo: the only one that is drawn."""
        self._showing = True
        self._model.set(objects, solo or None)
        chosen = self._model.row_of(current)
        if chosen is None:
            self._view.selectionModel().clear()
        elif self._view.selectionModel().currentIndex().row() != chosen or not self._view.selectedIndexes():
            self._view.selectRow(chosen)
            self._view.scrollTo(self._model.index(chosen, Column.NAME))
        self._view.viewport().update()
        self._pages.setCurrentIndex(1 if objects else 0)
        self._showing = False

    def rename(self, number: int) -> None:
        """Let the user type a name."""
        at = self._model.row_of(number)
        if at is not None:
            self._view.edit(self._model.index(at, Column.NAME))

    def menu(self, number: int) -> QMenu:
        """What can be done with one object."""
        at = self._model.row_of(number)
        assert at is not None, f"there is no object {number}"
        info = self._model.objects[at]
        menu = QMenu(self)
        soloed = self._model.solo == number
        self._entry(menu, self.tr("Rename"), "ph.pencil-simple").triggered.connect(lambda: self.rename(number))
        shown = self.tr("Hide") if info.visible else self.tr("Show")
        entry = self._entry(menu, shown, "ph.eye-slash" if info.visible else "ph.eye")
        entry.triggered.connect(lambda: self.visibility_changed.emit(number, not info.visible))
        locked = self.tr("Unlock") if info.locked else self.tr("Lock")
        entry = self._entry(menu, locked, "ph.lock-simple-open" if info.locked else "ph.lock-simple")
        entry.triggered.connect(lambda: self.lock_changed.emit(number, not info.locked))
        entry = self._entry(menu, self.tr("Show all") if soloed else self.tr("Show only this"), "ph.target")
        entry.triggered.connect(lambda: self.solo_changed.emit(NO_SOLO if soloed else number))
        menu.addSeparator()
        entry = self._entry(menu, self.tr("Remove from all frames"), "ph.trash")
        entry.triggered.connect(lambda: self.object_removed.emit(number))
        return menu

    def _entry(self, menu: QMenu, text: str, icon: str) -> QAction:
        action = menu.addAction(text)
        icons.give(action, icon)
        return action

    def _show_menu(self, place: QPoint) -> None:
        index = self._view.indexAt(place)
        if index.isValid():
            menu = self.menu(self._model.objects[index.row()].id)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self._view.viewport().mapToGlobal(place))

    def _toggle(self, index: QModelIndex) -> None:
        info = self._model.objects[index.row()]
        match Column(index.column()):
            case Column.VISIBLE:
                self.visibility_changed.emit(info.id, not info.visible)
            case Column.LOCK:
                self.lock_changed.emit(info.id, not info.locked)
            case Column.SOLO:
                self.solo_changed.emit(NO_SOLO if self._model.solo == info.id else info.id)

    def _choose(self) -> None:
        rows = self._view.selectionModel().selectedRows()
        if rows and not self._showing:
            self.object_selected.emit(self._model.objects[rows[0].row()].id)
