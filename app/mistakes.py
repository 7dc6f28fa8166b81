"""What to say of an error that the user can do something about: one line, with the remedy."""

from __future__ import annotations

import errno
import sys

REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room, the quota is used up",
    errno.EACCES: "check the permissions or choose another folder",
    errno.EPERM: "check the permissions or choose another folder",
    errno.EROFS: "choose another folder",
    errno.EIO: "look whether the disk or the share is there, and try again",
    errno.ESTALE: "look whether the share is there, and try again",
}

OUT_OF_MEMORY = "memory ran out: a smaller working size, batch or crop needs less; what is done is kept"


def message_of(error: ValueError | OSError) -> str:
    """The words of one of ours; of one of the system's, the file, what is wrong and what helps."""
    remedy = REMEDIES.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{cause_of(error)}: {remedy}" if remedy else cause_of(error)


def cause_of(error: ValueError | OSError) -> str:
    """The same without what helps."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def is_out_of_memory(error: BaseException) -> bool:
    """Is it main memory or a graphics card's that ran out? torch has a class of its own for the latter alone."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error) for w in ("not enough memory", "out of memory"))
