"""Prints what the project needs to run and to be developed, one requirement a line, but not the project itself."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
print(*project["dependencies"], *project["optional-dependencies"]["dev"], sep="\n")
