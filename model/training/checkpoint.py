"""Files that hold weights: `encoder.pt` to use a model, `checkpoint.pt` to go on training it.

Both are plain dictionaries of tensors, numbers and strings, written under a temporary name and renamed, and
read with `weights_only=True`: opening a stranger's file runs none of its code.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import torch

PROGRAM = "mer-studio"
WEIGHTS_FORMAT = 1


def save_file(path: Path, content: dict[str, Any]) -> None:
    """Write atomically: an interrupted or failed write leaves the old file as it was."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        torch.save({"program": PROGRAM, "format": WEIGHTS_FORMAT, **content}, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_file(path: Path) -> dict[str, Any]:
    """Read a file of `save_file`. ValueError, naming file and remedy, for anything else."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: no such weights file") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, AttributeError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: not a readable weights file ({first_line[:120]}); train or copy it again") from None
    if not isinstance(content, dict) or content.get("program") != PROGRAM:
        raise ValueError(f"{path}: weights of another program; give a file that `mer train` wrote")
    if content.get("format") != WEIGHTS_FORMAT:
        raise ValueError(
            f"{path}: weights format {content.get('format')}, this version reads {WEIGHTS_FORMAT}; update mer-studio or retrain"
        )
    return content


def file_hash(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
