# Two commands for a newcomer, and two for those who work on toile:
#   make committee   trains three CNNs on Fashion-MNIST, combines them, writes a report and says where it is
#   make test        runs the tests; make test-slow those that take long; make test-lowest with the oldest versions that are allowed
#   make bench       measures toile beside its rivals; NAME=transfer for one benchmark
#   make docs        builds the documentation as a site, in build/site
# All make their own environment in .venv first. Any Python from 3.11 to 3.13 will do; name one with PYTHON=…

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c '$(FITS)' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := .venv/bin
STORE ?= toile-runs
WORKERS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# These tests import Keras into pytest's own processes. They are run after the others and in three parts, each in processes of its own:
# so none takes more than 1 GB.
BUILD := tests/study/test_keras.py tests/study/test_schedules.py \
	$(filter-out %/test_classical.py,$(wildcard tests/models/test_*.py))
TRAIN := tests/benchmarks tests/inference tests/training
WHOLE := tests/studies tests/serving/test_export.py
OTHERS := --without-keras $(addprefix --ignore=,$(BUILD) $(TRAIN) $(WHOLE))
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist worksteal --durations 10

# What the oldest versions are asked: all but what takes long and asks the libraries nothing new.
LOWEST := study data store evaluation committee models/test_classical.py training/test_train.py inference reports serving

# Where Python is told to write no bytecode, hundreds of the tests' processes would each compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help committee test test-slow test-lowest lint bench docs clean
.ONESHELL:

help:
	@sed -n '1,7s/^# \{0,1\}//p' Makefile

.venv/installed: pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then
	  echo "toile needs Python 3.11, 3.12 or 3.13, and none was found. Install one, or say: make PYTHON=/path/to/python" >&2
	  exit 1
	fi
	echo "Making an environment in .venv with $$($(PYTHON) --version); TensorFlow is some 250 MB to download"
	$(PYTHON) -m venv .venv || {
	  echo "venv is missing; on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf .venv; exit 1; }
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	@$(PIP) install --constraint constraints.txt --group test
	touch $@

committee: .venv/installed
	@export TOILE_STORE='$(STORE)'
	ON=()
	if ! $(BIN)/toile fetch fashion-mnist; then
	  printf '%s\n' '' \
	    '************************************************************************' \
	    '*  Fashion-MNIST can be neither found nor downloaded (see above).      *' \
	    '*  What follows runs the same study on DIGITS instead: 1,797 images    *' \
	    '*  that come with scikit-learn. Its figures say nothing about          *' \
	    '*  Fashion-MNIST. With the four files in ./data/fashion-mnist, or a    *' \
	    '*  network, the same command runs the real thing.                      *' \
	    '************************************************************************' ''
	  ON=(--dataset digits)
	fi
	$(BIN)/toile run committee "$${ON[@]}" $(if $(WORKERS),--workers $(WORKERS))
	$(BIN)/toile report committee "$${ON[@]}"

test: .venv/installed-test
	@$(BIN)/ruff check src tests benchmarks docs
	$(BIN)/ruff format --check src tests benchmarks docs
	$(BIN)/pyright --pythonpath $(BIN)/python
	failed=0
	$(PYTEST) -m 'not slow' $(OTHERS) || failed=1
	$(PYTEST) -m 'not slow' $(BUILD) || failed=1
	$(PYTEST) -m 'not slow' $(TRAIN) || failed=1
	$(PYTEST) -m 'not slow' $(WHOLE) || failed=1
	exit "$$failed"

test-slow: .venv/installed-test
	@failed=0
	$(PYTEST) -m slow $(OTHERS) || failed=1
	$(PYTEST) -m slow $(BUILD) || failed=1
	$(PYTEST) -m slow $(TRAIN) || failed=1
	$(PYTEST) -m slow $(WHOLE) || failed=1
	exit "$$failed"

.venv-lowest/installed: pyproject.toml constraints-lowest.txt .venv/installed-test
	@$(BIN)/uv venv --quiet --clear --no-python-downloads --python '>=3.11,<3.13' .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --constraint constraints-lowest.txt --group test --editable .
	touch $@

test-lowest: .venv-lowest/installed
	@.venv-lowest/bin/python -m pytest --numprocesses 2 --dist worksteal -m 'not slow' $(addprefix tests/,$(LOWEST))

lint: .venv/installed-test
	@$(BIN)/ruff check --fix src tests benchmarks docs
	$(BIN)/ruff format src tests benchmarks docs

bench: .venv/installed-test
	@$(BIN)/python -m benchmarks $(NAME)

docs: .venv/installed
	@$(PIP) install --constraint constraints.txt --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	echo "build/site/index.html; with its search: $(BIN)/python -m http.server --directory build/site"

clean:
	@rm -rf .venv .venv-lowest build dist .pytest_cache .ruff_cache .hypothesis
