"""The tools of the canvas, one small class each."""

from app.views.canvas.tools.base import Tool, ToolBase
from app.views.canvas.tools.brush import Brush, Eraser
from app.views.canvas.tools.click import Click
from app.views.canvas.tools.fill import Fill, Pick
from app.views.canvas.tools.inspector import Inspect
from app.views.canvas.tools.keypoint import Keypoints
from app.views.canvas.tools.outline import Lasso, Polygon
from app.views.canvas.tools.pan import Pan

TOOLS: dict[Tool, type[ToolBase]] = {
    Tool.PAN: Pan,
    Tool.BRUSH: Brush,
    Tool.ERASER: Eraser,
    Tool.POLYGON: Polygon,
    Tool.LASSO: Lasso,
    Tool.FILL: Fill,
    Tool.PICK: Pick,
    Tool.CLICK: Click,
    Tool.KEYPOINT: Keypoints,
    Tool.INSPECT: Inspect,
}

__all__ = ["TOOLS", "Keypoints", "Tool", "ToolBase"]
