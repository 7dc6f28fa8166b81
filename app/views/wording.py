"""Numbers in words, for every place that shows them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtGui import QKeySequence

from app.core.preflight import Resource

_CONTEXT = "Wording"


def tr(text: str, number: int = -1) -> str:
    return QCoreApplication.translate(_CONTEXT, text, "", number)


def clock(seconds: float) -> str:
    """m:ss.hh, or h:mm:ss.hh from an hour on."""
    hundredths = round(max(seconds, 0.0) * 100)
    minutes, rest = divmod(hundredths, 6000)
    tail = f"{rest // 100:02}.{rest % 100:02}"
    return f"{minutes}:{tail}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{tail}"


def span(seconds: float) -> str:
    """A length of time as one would say it: "6 s", "3 min", "1 h 20 min"."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return tr("{0} s").format(whole)
    minutes = round(whole / 60)
    if minutes < 60:
        return tr("{0} min").format(minutes)
    return tr("{0} h {1} min").format(minutes // 60, minutes % 60)


def percent(share: float) -> str:
    """A share of 0..1: "31 %"."""
    return tr("{0} %").format(round(100 * share))


def amount(number: int) -> str:
    """Bytes: "640 MB", "1.2 GB"."""
    value, unit = number / 1e6, "MB"
    if value >= 1000:
        value, unit = value / 1000, "GB"
    return f"{QLocale().toString(value, 'f', 1 if value < 10 and unit == 'GB' else 0)} {unit}"


def resource(what: Resource) -> str:
    """What a run uses up."""
    return {Resource.MEMORY: tr("Memory"), Resource.DEVICE: tr("Memory of the device"), Resource.DISK: tr("Disk")}[what]


def key(portable: str) -> str:
    """A key as this system writes it: "⌘S" for "Ctrl+S" on a Mac."""
    return QKeySequence(portable).toString(QKeySequence.SequenceFormat.NativeText)


def name(path: Path) -> str:
    """The last part of a path, which is what people know it by."""
    return path.name or str(path)
