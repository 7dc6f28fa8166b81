"""Where a user's own files lie: settings, lists, and projects that were never saved.

MER_HOME, if set, is the folder for all of them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

_NAME = "mer-studio"


def config_folder() -> Path:
    """For settings. It need not exist."""
    home = os.environ.get("MER_HOME")
    return Path(home) if home else platformdirs.user_config_path(_NAME, appauthor=False)


def data_folder() -> Path:
    """For what the program keeps for the user. It need not exist."""
    home = os.environ.get("MER_HOME")
    return Path(home) if home else platformdirs.user_data_path(_NAME, appauthor=False)


def log_folder() -> Path:
    """For the log. It need not exist."""
    home = os.environ.get("MER_HOME")
    return Path(home) / "log" if home else platformdirs.user_log_path(_NAME, appauthor=False)


def folder_for(video: Path) -> Path:
    """Where what is made of a video is looked for: beside it.

    The sample lies among the program's own files, where nobody would look: what is made of that goes to the user's
    documents, or to the home folder where there is none for them.
    """
    if not video.is_relative_to(data_folder().resolve()):
        return video.parent
    documents = platformdirs.user_documents_path()
    return documents if documents.is_dir() else Path.home()


def read_json(path: Path) -> tuple[dict[str, Any], str]:
    """The object in a file, empty if there is none, and a note if the file was broken: then it is set aside."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return content, ""
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"{path}: cannot be read ({error.strerror}); going on without it"
    except (ValueError, RecursionError):
        aside = path.with_name(f"{path.name}.broken")
        with suppress(OSError):
            os.replace(path, aside)
        return {}, f"{path}: was broken; it is kept as {aside.name}, and a new one begins"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file whole. OSError, naming it, if that fails: it is as it was then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        error.filename = str(path)
        del error.filename2  # None would be said as well
        raise
    finally:
        partial.unlink(missing_ok=True)
