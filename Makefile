# Every target sets up what it needs: a fresh machine has Python >= 3.11 and make only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
# Hubs of different files run side by side (they wait for most of the time); files in order, so that a directory shares its hub.
JOBS ?= 3

.PHONY: help setup demo test check lock clean

help: ## Show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

setup: $(VENV)/.ready ## Make .venv from the hashed lock

# A hub is many processes: each would compile all sources anew where Python is told to keep no bytecode.
demo: setup ## A day of trade through the twins, with faults; prints the console's address
	$(BIN)/python -m compileall -q src
	$(BIN)/crossdock demo

test: setup ## The whole suite, on PostgreSQL of its own
	$(BIN)/python -m compileall -q src tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

check: setup ## Format, lint, types, import contracts, style
	$(BIN)/ruff format --check src tests conftest.py
	$(BIN)/ruff check src tests conftest.py
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/style

lock: setup ## Resolve requirements.in anew (needs pip-tools)
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header --strip-extras --allow-unsafe --output-file requirements.lock requirements.in

clean: ## Remove .venv and caches; hubs and their data stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache .hypothesis src/crossdock.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
