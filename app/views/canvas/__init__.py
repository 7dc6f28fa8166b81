"""The canvas: looking at a frame, and labelling it."""

from app.views.canvas.canvas import Canvas
from app.views.canvas.tools import Tool
from app.views.drawing import OverlayStyle

__all__ = ["Canvas", "OverlayStyle", "Tool"]
