"""What the canvas shows: the frame with its labels, or in its place a picture that has to be worked out first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject

from app.controllers.questions import Questions
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.changes import Change
from app.jobs.queries import Clusters, Engine, FeaturePca, Flow, Picture, Query, ValueMap
from app.views.canvas.tools import Tool
from app.views.drawing import OverlayStyle
from model.types import Frame

_KEPT = 64 << 20  # bytes of pictures that were worked out


class Viewing(QObject):
    """Choices of the view panel and the View menu."""

    def __init__(self, session: Session, window: Shell, questions: Questions, style: OverlayStyle) -> None:
        super().__init__()
        self._session, self._window, self._questions = session, window, questions
        self._style = style
        self._mode = "labels"
        self._kept: OrderedDict[Query, Picture] = OrderedDict()
        self._asking: dict[str, Callable[[int], Query]] = {
            "flow": lambda frame: Flow(frame, session.document.options),
            "value": lambda frame: ValueMap(frame, session.document.options),
            "clusters": lambda frame: Clusters(frame, session.document.options),
            "pca": lambda frame: FeaturePca(frame, session.document.options),
        }
        session.opened.connect(self._begin)
        session.pictured.connect(self._show)
        session.changed.connect(self._follow)
        session.closed.connect(self._end)
        panel, actions = window.view_panel, window.actions
        panel.set_opacity(style.opacity)
        panel.set_contours(style.contours)
        panel.mode_changed.connect(self.set_mode)
        panel.opacity_changed.connect(lambda opacity: self._restyle(opacity=opacity))
        panel.contours_changed.connect(lambda on: self._restyle(contours=on))
        panel.wipe_changed.connect(window.canvas.set_wipe)
        actions["view.overlay"].toggled.connect(lambda on: self._restyle(show=on))
        actions["view.fit"].triggered.connect(lambda: window.canvas.fit())
        actions["view.actual"].triggered.connect(lambda: window.canvas.zoom_to(1.0))
        actions["view.zoom_in"].triggered.connect(lambda: window.canvas.zoom_by(1.5))
        actions["view.zoom_out"].triggered.connect(lambda: window.canvas.zoom_by(1 / 1.5))
        self._restyle()

    @property
    def style(self) -> OverlayStyle:
        return self._style

    def know(self, engine: Engine) -> None:
        """Only pictures that this encoder can give."""
        for mode, reason in engine.views:
            self._window.set_enabled(f"view.{mode}", not reason, reason)
            if reason and mode == self._mode:
                self._window.view_panel.set_mode("labels")

    def set_mode(self, mode: str) -> None:
        self._mode = mode
        if mode == "votes":
            self._window.actions[f"tool.{Tool.INSPECT}"].setChecked(True)
        self._window.canvas.set_style(self._drawn)
        self._window.view_panel.set_legend(None)
        self._refresh()

    def _restyle(self, **choices: object) -> None:
        self._style = replace(self._style, **choices)  # type: ignore[arg-type]
        self._window.canvas.set_style(self._drawn)

    @property
    def _drawn(self) -> OverlayStyle:
        """The picture alone has no labels, whatever else was chosen; other pictures are not painted over."""
        opacity = 0.0 if self._mode in self._asking else self._style.opacity
        return replace(self._style, opacity=opacity, show=self._style.show and self._mode != "image")

    def _begin(self) -> None:
        self._window.canvas.set_image(None)
        self._window.canvas.set_labels(None)

    def _end(self) -> None:
        self._kept.clear()
        self._window.canvas.set_layer(None)
        self._window.canvas.set_labels(None)
        self._window.canvas.set_image(None)

    # The frame

    def _show(self, picture: Frame) -> None:
        """A frame and its labels, all at once."""
        canvas, document = self._window.canvas, self._session.document
        keep = canvas.image_size == picture.image.shape[:2]
        canvas.set_image(picture.image, keep_view=keep)
        canvas.set_labels(document.labels(picture.index))
        canvas.set_keypoints(document.keypoints(picture.index), document.skeleton)
        canvas.set_votes(())
        self._refresh()

    def _follow(self, change: Change) -> None:
        session = self._session
        if session.picture is None:
            return
        here = session.shown in change.frames
        if here or change.objects:
            self._window.canvas.set_labels(session.document.labels(session.shown))
        if here or change.skeleton:
            self._window.canvas.set_keypoints(session.document.keypoints(session.shown), session.document.skeleton)
        if here and self._mode == "doubt":
            self._show_doubt()

    # Pictures in its place

    def _refresh(self) -> None:
        """Bring doubt and layer up to date with frame and mode."""
        if self._session.picture is None:
            return
        self._show_doubt()
        if self._mode not in self._asking:
            self._window.canvas.set_layer(None)
            return
        query = self._asking[self._mode](self._session.shown)
        if query in self._kept:
            self._kept.move_to_end(query)
            self._put(self._kept[query])
            return
        self._window.canvas.set_layer(None)  # rather the frame alone than another frame's picture
        self._questions.ask(query, lambda picture: self._answered(query, picture), self._failed)

    def _show_doubt(self) -> None:
        known = self._session.document.store.get(self._session.shown) if self._mode == "doubt" else None
        if known is None or known.grid is None:
            self._window.canvas.set_doubt(None)
        else:  # a share of one half says nothing: an object and the background are equally likely then
            self._window.canvas.set_doubt((2 * known.grid.unpack() - 1).clip(0, 1))

    def _answered(self, query: Query, picture: Picture) -> None:
        if not self._session.is_open:
            return
        self._kept[query] = picture
        while sum(kept.rgb.nbytes for kept in self._kept.values()) > _KEPT and len(self._kept) > 1:
            self._kept.popitem(last=False)
        if self._mode in self._asking and query == self._asking[self._mode](self._session.shown):
            self._put(picture)

    def _put(self, picture: Picture) -> None:
        self._window.canvas.set_layer(picture.rgb)
        self._window.view_panel.set_legend(picture.legend, *self._ends.get(self._mode, ("", "")))

    @property
    def _ends(self) -> dict[str, tuple[str, str]]:
        """What stands left and right of a legend."""
        return {"flow": (self.tr("moves there"), ""), "value": (self.tr("0"), self.tr("1"))}

    def _failed(self, why: str) -> None:
        self._window.notify(why, "warning")
        self._window.view_panel.set_mode("labels")
