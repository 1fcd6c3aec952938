# greenrelay: `make run` serves the demo, `make run-cluster` on four workers, `make test` runs every
# test. Each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Nothing is compiled while pip installs: see .compiled.
PIP := GREENRELAY_PURE_PYTHON=1 $(BIN)/python -m pip --disable-pip-version-check install --quiet

DOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

# Chromium for the browser tests, nginx and HAProxy for servers behind a proxy; Debian has those
# in /usr/sbin.
HAS_PROGRAMS := command -v chromium >/dev/null && command -v chromedriver >/dev/null \
    && PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null \
    && PATH="$$PATH:/usr/sbin" command -v haproxy >/dev/null

PYENV_PYTHONS := $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.*/bin/python)

# What setup.py compiles, where there is a compiler; else the same source runs as it is.
COMPILED := $(wildcard greenrelay/core/*.py greenrelay/core/*.pxd) \
    $(wildcard greenrelay/runtime/*.py greenrelay/runtime/*.pxd) \
    $(wildcard greenrelay/relay/*.py greenrelay/relay/*.pxd) \
    $(wildcard greenrelay/websocket/*.py greenrelay/websocket/*.pxd) \
    $(wildcard greenrelay/transport/*.py greenrelay/transport/*.pxd) \
    $(wildcard greenrelay/cluster/*.py greenrelay/cluster/*.pxd)

.PHONY: run run-cluster test test-pure test-libuv test-all test-setup lint types format bench bench-http \
    bench-transport bench-cluster bench-relay autobahn autobahn-fast autobahn-client docs docs-serve clean

run: $(VENV)/.run
	$(BIN)/greenrelay run config.yaml

# The same on four workers that are one system, by a NATS server that is started and ended with it.
run-cluster: $(VENV)/.cluster
	$(BIN)/greenrelay run config.yaml --workers 4

test: $(VENV)/.dev $(VENV)/.compiled
	@$(HAS_PROGRAMS) || $(MAKE) test-setup
	$(BIN)/python -m tests.parts

PURE_TESTS ?= tests/core tests/runtime tests/testing tests/spec/test_process.py

# The processes once more, by the source and not by what is compiled from it.
test-pure: $(VENV)/.dev
	$(BIN)/python -m pytest -p tests.pure $(PURE_TESTS)

LIBUV_TESTS ?= tests/transport tests/spec/test_relay_keepalive.py

# What reads and writes sockets, on gevent's other loop.
test-libuv: $(VENV)/.dev $(VENV)/.compiled
	GEVENT_LOOP=libuv $(BIN)/python -m pytest $(LIBUV_TESTS)

# On every Python there is, those of pyenv among them, then with what else can differ: see
# setup.cfg. A Python that is not there is named at the end, and fails nothing.
test-all: $(VENV)/.dev
	@$(HAS_PROGRAMS) || $(MAKE) test-setup
	$(BIN)/tox run $(if $(PYENV_PYTHONS),--discover $(PYENV_PYTHONS))

# The tests drive a real Chromium, nginx and HAProxy; everything else comes with pip.
test-setup:
	@if $(HAS_PROGRAMS); then \
	    echo "Chromium, its driver, nginx and HAProxy are there."; \
	elif ! command -v apt-get >/dev/null; then \
	    echo "The tests need chromium, chromedriver, nginx and haproxy on PATH; there is no apt-get"; \
	    echo "to install them with: install them with this system's package manager."; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends chromium chromium-driver nginx-light haproxy >/dev/null; \
	elif command -v sudo >/dev/null; then \
	    echo "The tests need Chromium, nginx and HAProxy; installing them with sudo."; \
	    sudo apt-get update -qq && sudo apt-get install -y -qq chromium chromium-driver nginx-light haproxy; \
	else \
	    echo "The tests need chromium, chromium-driver, nginx and haproxy; as root, run:"; \
	    echo "    apt-get install chromium chromium-driver nginx-light haproxy"; exit 1; \
	fi

lint: $(VENV)/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(VENV)/.dev
	$(BIN)/mypy

# Against the baselines that are there; about five minutes. Results go to bench/results.
bench: $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python -m bench.processes

# What a request costs as a process, beside plain Flask; half a minute.
bench-http: $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python -m bench.http

# They build their load generator with gcc; about five minutes each, on two idle cores.
bench-transport: $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python -m bench.transport

bench-relay: $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python -m bench.relay

# Nodes of a cluster beside its engine alone: a NATS server and nodes that it starts; three minutes.
bench-cluster: $(VENV)/.dev $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python -m bench.cluster

# Every case of Autobahn's test suite against our own server; about ten minutes. It needs a
# Python 2.7, on PATH or from pyenv, sets up the rest, and fails where there is none.
autobahn: $(VENV)/.run
	$(BIN)/python -m bench.autobahn

# Sections 1 to 7 and 10 only: half a minute, once the suite is set up.
autobahn-fast: $(VENV)/.run
	$(BIN)/python -m bench.autobahn --fast

# The same cases the other way round: a fuzzing server against our client.
autobahn-client: $(VENV)/.run
	$(BIN)/python -m bench.autobahn.client

# Into build/docs; a warning is an error. index.html there opens in a browser as it is.
docs: $(VENV)/.docs
	$(DOCS) build --strict --clean --quiet
	@echo "The documentation is in build/docs/index.html"

docs-serve: $(VENV)/.docs
	$(DOCS) serve --watch greenrelay

format: $(VENV)/.dev
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	find greenrelay -name "*.so" -delete
	rm -rf $(VENV) .tox build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "greenrelay needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
	    echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { \
	    echo "On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.run: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.cluster: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[cluster]'
	@touch $@ $(VENV)/.run

# Only what has changed is compiled again.
$(VENV)/.compiled: setup.py $(COMPILED) | $(VENV)/.dev
	$(BIN)/python setup.py --quiet build_ext --inplace --parallel 2
	@touch $@

$(VENV)/.bench: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[bench]'
	@touch $@ $(VENV)/.run

$(VENV)/.docs: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[docs]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: setup.cfg pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run
