"""Prints what the project needs to run, and what the extras named as arguments add, one requirement a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
extras = [requirement for name in sys.argv[1:] for requirement in project["optional-dependencies"][name]]
print(*project["dependencies"], *extras, sep="\n")
