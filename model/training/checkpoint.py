"""Files that hold weights: `encoder.pt` to use a model, `checkpoint.pt` to go on training it.

Both are plain dictionaries of tensors, numbers and strings, written under a temporary name and renamed, and
read with `weights_only=True`: opening a stranger's file runs none of its code.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import torch

from model.files import replacing

PROGRAM = "mer-studio"
WEIGHTS_FORMAT = 1


def save_file(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: an interrupted or failed write leaves the old file as it was.

    Equal content gives equal bytes. OSError, naming the file, if it cannot be written.
    """
    # By way of memory: torch writes its temporary name into the file, and hides the cause of a failed write.
    data = io.BytesIO()
    torch.save({"program": PROGRAM, "format": WEIGHTS_FORMAT, **content}, data)
    with replacing(path) as partial:
        partial.write_bytes(data.getbuffer())


def load_file(path: Path) -> dict[str, Any]:
    """Read a file of `save_file`. ValueError, naming file and remedy, for anything else."""
    try:
        if not _is_plain(path):
            raise ValueError("packed, or of an older kind")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such weights file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}); check name and permissions") from None
    except Exception as error:  # damaged bytes can trip the reader anywhere
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: not a readable weights file ({first_line[:120]}); train or copy it again") from None
    if not isinstance(content, dict) or ascii(content.get("program")) != ascii(PROGRAM):
        raise ValueError(f"{path}: weights of another program; give a file that `mer train` wrote")
    kind = ascii(content.get("format"))  # it may be anything
    if kind != ascii(WEIGHTS_FORMAT):
        raise ValueError(
            f"{path}: weights format {' '.join(kind.split())[:40]}, this version reads {WEIGHTS_FORMAT}; "
            "update mer-studio or train again"
        )
    return content


def _is_plain(path: Path) -> bool:
    """Is it an archive that holds what it says, byte for byte? A packed one may unpack to a thousand times its size."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            return False
        members = zipfile.ZipFile(file).infolist()
    sizes = sum(member.file_size for member in members)
    return all(m.compress_type == zipfile.ZIP_STORED for m in members) and sizes <= path.stat().st_size


def file_hash(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
