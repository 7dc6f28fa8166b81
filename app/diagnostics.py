"""What a report of a fault needs, as text to paste: the machine, the last actions, the end of the log."""

from __future__ import annotations

from collections.abc import Iterable

from app import __version__
from app.doctor import examine
from app.io.log import discreet, tail


def report(actions: Iterable[str] = (), facts: Iterable[tuple[str, str]] = ()) -> str:
    """Everything in one text, without the user's name. Loads the encoder; takes a second or two.

    actions: what was done last, the latest last. facts: names and values that only a window knows.
    """
    rows = [("MER Studio", __version__), *facts]
    for finding in examine():
        remedy = f" [{finding.level}: {finding.remedy}]" if finding.remedy else ""
        rows.append((finding.name, finding.found + remedy))
    parts = ["\n".join(f"{name}: {value}" for name, value in rows)]
    if done := list(actions):
        parts.append("\n".join(["Last actions, the latest last:", *(f"  {action}" for action in done)]))
    parts.append("The end of the log:\n" + (tail() or "  (there is none)"))
    return discreet("\n\n".join(parts)) + "\n"
