"""What the inference thread tells, as signals."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class InferenceSignals(QObject):
    """Whoever emits them, in whichever thread.

    ready(Engine): the encoder is loaded.
    result(job, frame, FrameLabels): one propagated frame; of one that a person made, what is carried onto it, if any.
    progressed(job, steps done, steps in all, steps per second).
    finished(job), stopped(job), failed(job, why), exhausted(job, why): how a job ended, exactly one of them, the last
    when memory ran out; frames that came stay good. failed(-1, why): there is no encoder.
    retreated(job, how): memory ran short, and the job goes on with less; finished frames are kept.
    answered(question, answer), query_failed(question, why).
    """

    ready = Signal(object)
    result = Signal(int, int, object)
    progressed = Signal(int, int, int, float)
    finished = Signal(int)
    stopped = Signal(int)
    failed = Signal(int, str)
    exhausted = Signal(int, str)
    retreated = Signal(int, str)
    answered = Signal(int, object)
    query_failed = Signal(int, str)
