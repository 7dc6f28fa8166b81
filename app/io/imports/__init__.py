"""Labels of other programs, read into a document."""

from __future__ import annotations

from app.io.imports.read import Imported, import_labels, read_foreign

__all__ = ["Imported", "import_labels", "read_foreign"]
