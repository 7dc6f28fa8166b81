"""The words of the timeline."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication

from app.core.lanes import KEYPOINTS, Lane, LaneState
from app.views.timeline.layout import Hit, Part
from app.views.wording import clock


def tr(text: str) -> str:
    return QCoreApplication.translate("Timeline", text)


def state_name(state: int) -> str:
    match state:
        case LaneState.HUMAN:
            return tr("human")
        case LaneState.CORRECTED:
            return tr("corrected")
        case LaneState.PROPAGATED:
            return tr("propagated")
        case LaneState.STALE:
            return tr("stale")
    return tr("missing")


def lane_name(lane: Lane) -> str:
    return tr("Keypoints") if lane.id == KEYPOINTS else lane.name


def tooltip(at: Hit, lanes: tuple[Lane, ...], times: np.ndarray, dropped: bool) -> str:
    """What is known of the place under the pointer; nothing to say is an empty text."""
    if at.part is Part.NOTHING:
        return ""
    if at.part is Part.NAME:
        assert at.lane is not None
        return lane_name(lanes[at.lane])
    moment = tr("Frame {0} · {1}").format(at.frame, clock(float(times[at.frame])))
    match at.part:
        case Part.START:
            return tr("In point: drag to move it")
        case Part.STOP:
            return tr("Out point: drag to move it")
        case Part.REFERENCE:
            kind = (
                tr("dropped reference, right-click to restore it")
                if dropped
                else tr("reference, right-click to drop it")
            )
            return f"{moment}\n{kind}"
        case Part.LANE:
            assert at.lane is not None
            return f"{moment}\n{_lane_text(lanes[at.lane], at.frame)}"
    return moment


def _lane_text(lane: Lane, frame: int) -> str:
    text = f"{lane_name(lane)}: {state_name(int(lane.states[frame]))}"
    certainty = float(lane.certainty[frame])
    return text if np.isnan(certainty) else text + tr(", certainty {0:.2f}").format(certainty)
