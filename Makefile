# Every target makes its own environment first, in $(VENV), when that is absent or out of date.

VENV ?= .venv
PYTHON_IN_VENV := "$(VENV)/bin/python"

export VENV
# This checkout's code runs, even in an environment that was last installed from another one.
export PYTHONPATH := $(CURDIR)

.PHONY: help demo test app lint clean setup

help:
	@echo "make demo   carry a mask and keypoints through a sample video, and show what came of it"
	@echo "make test   run all tests"
	@echo "make app    run MER Studio"
	@echo "make lint   check style, types and import rules"
	@echo "make clean  delete what the other targets made, but for the environment ($(VENV))"

demo: setup
	@$(PYTHON_IN_VENV) "$(VENV)/bin/mer" demo

test: setup
	@$(PYTHON_IN_VENV) -m pytest -q

app: setup
	@$(PYTHON_IN_VENV) "$(VENV)/bin/mer"

lint: setup
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m mypy
	@$(PYTHON_IN_VENV) "$(VENV)/bin/lint-imports"

clean:
	@rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find app model tests -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@packaging/setup.sh
