# Every target prepares what it needs; a fresh Debian with python3 and make is enough.
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup run demo test test-long check fix bench lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(VENV)/.runtime  ## .venv with the maskline command

run: $(VENV)/.runtime  ## the service on SQLite with the sandbox carrier
	$(BIN)/maskline serve --sandbox

demo: $(VENV)/.runtime  ## a whole masked call, proved
	$(BIN)/maskline demo

test: $(VENV)/.dev  ## all tests but the long ones; installs the peers they need
	tools/test-peers
	tools/node-sdk
	$(BIN)/python -m pytest -n 2 -m "not long" $(ARGS)

test-long: $(VENV)/.dev  ## the tests with large counts
	tools/test-peers
	tools/node-sdk
	$(BIN)/python -m pytest -m long $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests bench examples
	$(BIN)/lint-imports

fix: $(VENV)/.dev  ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## speed, beside a peer in the same run
	tools/test-peers
	$(BIN)/python -m bench

lock: $(VENV)/.dev  ## requirements/*.txt anew from requirements/*.in
	tools/lock

clean:
	rm -rf $(VENV) build

$(VENV)/.python:
	tools/make-venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt pyproject.toml
	$(BIN)/pip install -q --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/pip install -q --require-hashes -r requirements/dev.txt
	@touch $@
