# Every target makes its own environment first, in $(VENV), when that is absent or out of date.

VENV ?= .venv
PYTHON_IN_VENV := "$(VENV)/bin/python"

export VENV
# This checkout's code runs, even in an environment that was last installed from another one.
export PYTHONPATH := $(CURDIR)

.PHONY: help demo test fuzz soak app lint docs translations bundle wheel clean setup

help:
	@echo "make demo   carry a mask and keypoints through a sample video, and show what came of it"
	@echo "make test   run all tests"
	@echo "make fuzz   read spoilt files of every kind, other ones each time (FUZZ='--inputs 500' for more)"
	@echo "make soak   do a day's work two hundred times, and see that nothing grows"
	@echo "make app    run MER Studio"
	@echo "make lint   check style, types, import rules, and the links of the documents"
	@echo "make docs   make the documents' tables and pictures anew"
	@echo "make translations  collect the words of the window for translators, in build/mer.ts"
	@echo "make bundle make dist/mer-studio, the program with all that it needs, Python included; and try it out"
	@echo "make wheel  make the wheel and the source distribution, in dist"
	@echo "make clean  delete what the other targets made, but for the environment ($(VENV))"

demo: setup
	@$(PYTHON_IN_VENV) "$(VENV)/bin/mer" demo

test: setup
	@$(PYTHON_IN_VENV) -m pytest -q

fuzz: setup
	@$(PYTHON_IN_VENV) -m tests.fuzz $(FUZZ)

soak: setup
	@$(PYTHON_IN_VENV) -m tests.soak $(SOAK)

app: setup
	@$(PYTHON_IN_VENV) "$(VENV)/bin/mer"

lint: setup
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m mypy
	@$(PYTHON_IN_VENV) "$(VENV)/bin/lint-imports"
	@$(PYTHON_IN_VENV) docs/check.py

docs: setup
	@$(PYTHON_IN_VENV) docs/generate.py
	@$(PYTHON_IN_VENV) docs/pictures.py

bundle:
	@packaging/bundle.sh

wheel: setup
	@$(PYTHON_IN_VENV) -m hatchling build -t sdist -t wheel

translations: setup
	@$(PYTHON_IN_VENV) packaging/translations.py

clean:
	@rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find app model tests -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@packaging/setup.sh
