"""Text files that somebody else wrote."""

from __future__ import annotations

from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a file, without a mark of its order of bytes. ValueError, naming the file, if it is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text in UTF-8: save it as that") from None


def shortened(text: object, length: int = 80) -> str:
    """On one line, and no longer than that: for a stranger's words in a message."""
    line = " ".join(str(text).split()).encode("ascii", "backslashreplace").decode()
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return line if len(line) <= length else f"{line[: length - 1]}…"
