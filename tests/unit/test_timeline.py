"""The timeline as a user finds it: what the mouse does, what follows, and what is painted again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent, QImage, QPalette, QWheelEvent
from PySide6.QtWidgets import QApplication, QMenu, QScrollBar, QToolTip
from pytestqt.logging import _QtLogLibraryIntegration as QtLog  # noqa: F401
from pytestqt.qtbot import QtBot

from app.core.lanes import KEYPOINTS, Lane, LaneState
from app.views.timeline import painting
from app.views.timeline.layout import BAR, NAMES
from app.views.timeline.timeline import Timeline
