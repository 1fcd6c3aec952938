# greenrelay: `make run` serves the demo, `make test` runs every test. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: run test test-setup lint types format bench clean

run: $(VENV)/.run
	$(BIN)/greenrelay run config.yaml

test: $(VENV)/.dev
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || $(MAKE) test-setup
	$(BIN)/python -m pytest

# The browser tests drive a real Chromium; everything else comes with pip.
test-setup:
	@if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then \
	    echo "Chromium and its driver are there."; \
	elif ! command -v apt-get >/dev/null; then \
	    echo "The browser tests need chromium and chromedriver on PATH, and there is no apt-get"; \
	    echo "to install them with: install both with this system's package manager."; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
	elif command -v sudo >/dev/null; then \
	    echo "The browser tests need Chromium; installing it with sudo."; \
	    sudo apt-get update -qq && sudo apt-get install -y -qq chromium chromium-driver; \
	else \
	    echo "The browser tests need chromium and chromium-driver; as root, run:"; \
	    echo "    apt-get install chromium chromium-driver"; exit 1; \
	fi

lint: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(VENV)/.dev
	$(BIN)/mypy

# Against the baselines that are there; about five minutes. Results go to bench/results.
bench: $(VENV)/.bench
	$(BIN)/python -m bench.processes

format: $(VENV)/.dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "greenrelay needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	    echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { \
	    echo "On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.run: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.bench: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run
