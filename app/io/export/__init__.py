"""Labels in the formats of evaluators, editors and other programs, read back before they are called done."""

from __future__ import annotations

from app.io.export.base import CheckFailed, Exporter, Option
from app.io.export.labelled import Labelled
from app.io.export.run import EXPORTERS, Done, Progress, export, find_exporter, unusable

__all__ = [
    "EXPORTERS",
    "CheckFailed",
    "Done",
    "Exporter",
    "Labelled",
    "Option",
    "Progress",
    "export",
    "find_exporter",
    "unusable",
]
