# The one way in. `make help` lists the targets; CI calls what a person calls.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= var/data
PORT ?= 8000
SEEDS ?= 1000
MINUTES ?= 15

# Told to write no bytecode, pytest would compile every test anew each time, in every worker.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup setup-distributed setup-dev run test test-fast check bench bench-distributed simulate chaos campaigns
.PHONY: format lock pictures wheel clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# A stamp for each lock file: which of them is installed. The second has the packages of the first, the third those of both.
$(VENV)/embedded: requirements.lock pyproject.toml
	@infra/setup.sh "$(PYTHON)" "$(VENV)" $<
	@touch $@

$(VENV)/distributed: infra/docker/requirements.lock pyproject.toml
	@infra/setup.sh "$(PYTHON)" "$(VENV)" $<
	@touch $@ $(VENV)/embedded

$(VENV)/dev: requirements-dev.lock pyproject.toml
	@infra/setup.sh "$(PYTHON)" "$(VENV)" $<
	@touch $@ $(VENV)/embedded $(VENV)/distributed

setup: $(VENV)/embedded ## Install what the embedded profile runs with into .venv, from a hashed lock file

setup-distributed: $(VENV)/distributed ## Install the drivers of Kafka, Cassandra, Redis, PostgreSQL and S3 as well

setup-dev: $(VENV)/dev ## Install the packages of tests and checks as well; the targets that need them do it

run: setup ## Serve on 127.0.0.1:8000 with a demo community (DATA=, PORT= change where)
	@exec $(BIN)/minitwitter serve --data "$(DATA)" --port "$(PORT)" --demo

check: setup-dev ## Style, types, layers, schemas, documentation
	$(BIN)/ruff check --output-format concise .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.generate --check
	$(BIN)/python -m docs.generate --check

test-fast: setup-dev ## The tests for every edit, less than a minute on two cores: no engines, no processes, no simulation, no real data
	$(BIN)/pytest -q -m "not slow and not engines and not real_data" \
		--hypothesis-profile fast --ignore tests/integration --ignore tests/simulation -n auto

test: setup-dev ## All tests, those on the real engines among them; some 30 minutes on two cores
	$(BIN)/pytest -q -n auto --dist loadfile

simulate: setup-dev ## The simulation with many seeds: make simulate SEEDS=5000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: setup-dev ## Every process and engine killed, slow and cut off, under load: make chaos MINUTES=60
	$(BIN)/python -m tests.chaos --minutes $(MINUTES)

campaigns: setup-dev ## Long forms: 40 kills of a server, 1,000 reads of one's own writes, requests made up from the API
	MINITWITTER_TEST_LONG=1 $(BIN)/pytest -q tests/integration/test_crash.py \
		tests/integration/test_tokens_across_processes.py tests/scenarios/test_openapi.py \
		tests/scenarios/test_profiles_agree.py tests/integration/test_bench_distributed.py \
		tests/integration/test_import.py tests/chaos/test_chaos.py

bench: setup-dev ## Every figure beside its limit: JSON and a table
	$(BIN)/python -m bench

bench-distributed: setup-dev ## The same for the distributed profile, on real engines started for it: some 15 minutes
	$(BIN)/python -m bench.distributed

format: setup-dev ## Put the code into shape
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: setup-dev ## Renew the lock files from pyproject.toml: first that of tests and checks, from it the others
	$(COMPILE) --upgrade infra/installer.in --output-file infra/installer.lock
	$(COMPILE) --upgrade --extra dev --extra distributed pyproject.toml infra/build.in --output-file requirements-dev.lock
	$(COMPILE) --extra distributed --constraint requirements-dev.lock pyproject.toml infra/build.in \
		--output-file infra/docker/requirements.lock
	$(COMPILE) --constraint requirements-dev.lock pyproject.toml infra/build.in --output-file requirements.lock

pictures: setup-dev ## Make the pictures of README.md from a running server; needs Chromium
	$(BIN)/python -m docs.pictures

wheel: setup-dev ## Build the wheel into dist/, and test what is in it
	rm -rf build dist
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	MINITWITTER_TEST_WHEEL=$$(ls dist/*.whl) $(BIN)/pytest -q tests/architecture/test_wheel.py

clean: ## Remove what was built and the data of `make run`
	rm -rf $(VENV) var build dist *.egg-info
