"""How long the canvas takes for what must feel immediate. Prints medians and worst cases; asserts nothing.

Times are those of the processor, so that other programs do not count. `python tests/bench_canvas.py`; with
QT_SCALE_FACTOR=2 for a dense screen.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from app.core.objects import ObjectInfo
from app.views.canvas import Canvas, Tool
from model.types import LabelMap

HD, UHD = (1080, 1920), (2160, 3840)


def scene(size: tuple[int, int], shift: int = 0) -> tuple[np.ndarray, LabelMap]:
    """A picture with detail at all sizes, and a label map with six objects."""
    rng = np.random.default_rng(shift)
    height, width = size
    coarse = rng.integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    ids = np.zeros(size, np.uint8)
    for k in range(6):
        centre = (int(width * (0.15 + 0.14 * k)) + shift, int(height * (0.3 + 0.08 * k)))
        cv2.ellipse(ids, centre, (width // 12, height // 6), 20 * k, 0, 360, k + 1, -1)
    return image, LabelMap(ids)


def canvas(size: tuple[int, int]) -> Canvas:
    shown = Canvas()
    shown.resize(1500, 800)
    shown.show()
    image, labels = scene(size)
    shown.set_objects(tuple(ObjectInfo(k, f"object {k}") for k in range(1, 7)), 1)
    shown.set_image(image)
    shown.set_labels(labels)
    QApplication.processEvents()
    return shown


def mouse(on: Canvas, kind: QEvent.Type, x: float, y: float) -> None:
    """A mouse event at a place in the window, the left button held, and everything that follows from it."""
    held, place = Qt.MouseButton.LeftButton, QPointF(x, y)
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else held
    event = QMouseEvent(kind, place, place, button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(on, event)
    QApplication.processEvents()


def report(name: str, steps: Iterable[Callable[[], None]]) -> None:
    times = []
    for step in steps:
        start = time.process_time()
        step()
        times.append(1000 * (time.process_time() - start))
    median, most, worst = np.median(times), np.percentile(times, 95), max(times)
    print(f"{name:44s} median {median:6.2f} ms   95 % {most:6.2f}   worst {worst:6.2f}")


def stroke(brush: int, zoom: float | None) -> None:
    press, move, release = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove, QEvent.Type.MouseButtonRelease
    shown = canvas(HD)
    shown.set_tool(Tool.BRUSH)
    shown.set_brush(brush)
    if zoom:
        shown.zoom_to(zoom)
        QApplication.processEvents()
    name = f"1080p, brush {brush} px, {'fit' if zoom is None else f'{zoom:.0%}'}"
    path = [(300 + 11 * k, 400 + 150 * np.sin(k / 7)) for k in range(90)]
    report(f"{name}: begin", [lambda: mouse(shown, press, *path[0])])
    report(f"{name}: step", [lambda p=p: mouse(shown, move, *p) for p in path[1:]])
    report(f"{name}: end", [lambda: mouse(shown, release, *path[-1])])
    shown.close()


def views(size: tuple[int, int]) -> None:
    name = f"{size[0]}p"
    shown = canvas(size)
    frames = [scene(size, k) for k in range(1, 5)]

    def show(k: int) -> None:
        image, labels = frames[k % 4]
        shown.set_image(image)
        shown.set_labels(labels)
        QApplication.processEvents()

    def pan(k: int) -> None:
        way = 1 if k % 20 < 10 else -1
        shown.pan_by(9 * way, 5 * way)
        QApplication.processEvents()

    def zoom(k: int) -> None:
        shown.zoom_by(1.1 if k < 30 else 1 / 1.1)
        QApplication.processEvents()

    report(f"{name}, fit: next frame with labels", [lambda k=k: show(k) for k in range(40)])
    for scale in (shown.zoom, 1.5, 4.0):
        shown.zoom_to(scale)
        QApplication.processEvents()
        report(f"{name}, {scale:.0%}: pan by a step", [lambda k=k: pan(k) for k in range(60)])
    shown.fit()
    report(f"{name}: zoom by a step", [lambda k=k: zoom(k) for k in range(60)])
    shown.close()


if __name__ == "__main__":
    app = QApplication([])
    cv2.setNumThreads(1)
    for brush in (8, 40, 200, 600):
        for zoom in (None, 4.0):
            stroke(brush, zoom)
    for size in (HD, UHD):
        views(size)
