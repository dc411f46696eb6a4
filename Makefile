# Verbs for people and for CI. Each does its own set-up.

PYTHON ?= python3
STEPS ?= 300
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
# TORCH_INDEX=URL: index with CPU-only wheels of torch, for machines without a CUDA device
PIP := $(BIN)/pip --disable-pip-version-check install -q -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SOURCES := aegis plugins/aegis-arxiv/src plugins/aegis-babyai/src plugins/aegis-gpt2-lora/src plugins/aegis-hrm/src plugins/aegis-reinforce/src

.PHONY: help setup run test coverage outside lint bench results docs dist wheels clean

help:
	@echo 'make setup    virtual environment in .venv, with everything'
	@echo 'make run      run the agent for STEPS steps ($(STEPS)); it goes on where it stopped'
	@echo 'make test     all tests'
	@echo 'make coverage all tests again, and which lines they reach'
	@echo 'make outside  what third parties do: the examples, new plugins, the tutorial, what is in wheels'
	@echo 'make lint     ruff and mypy --strict'
	@echo 'make bench    speed and quality, each beside a named alternative'
	@echo 'make results  docs/results.md row by row (ROW=beginning of a name for one, LIST=1 for their names): days for all'
	@echo 'make docs     the site, with its reference, in site/'
	@echo 'make dist     wheels and sources of all distributions in dist/'
	@echo 'make wheels   make dist, install the wheels elsewhere, and try them there'

setup: $(STAMP)

$(STAMP): requirements-dev.txt constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	@echo 'setting up $(VENV): a minute or two the first time'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(PIP) -r requirements-dev.txt
	@touch $@

run: setup
	@$(BIN)/aegis run --steps $(STEPS)

test: setup
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q -m 'not outside'

coverage: setup
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report= -q -m 'not outside'
	@$(BIN)/coverage report --skip-covered --skip-empty --sort=cover | tail -n 25

outside: setup
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q -m outside tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q examples

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy $(SOURCES) benchmarks docs/generate.py
	@for part in examples/*/src; do $(BIN)/mypy $$part || exit 1; done

bench: setup
	@for script in $(filter-out benchmarks/results.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done
	@for part in decision training; do echo "== $$part on 2 threads"; $(BIN)/python benchmarks/$$part.py --threads 2 || exit 1; done

results: setup
	@$(BIN)/python benchmarks/results.py $(ROW) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CORPUS),--corpus $(CORPUS)) $(if $(AGAIN),--again) $(if $(LIST),--list)

docs: setup
	@$(BIN)/python docs/generate.py
	@$(BIN)/zensical build --strict --clean

# DIST=FOLDER: where to; the archives' dates are that of the last commit, so that the same sources make the same bytes
dist: DIST = dist
dist: setup
	@mkdir -p $(DIST)
	@rm -f $(DIST)/*.whl $(DIST)/*.tar.gz
	@export SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)}"; \
	for part in $(dir $(wildcard pyproject.toml plugins/*/pyproject.toml)); do (cd $$part && $(abspath $(BIN))/python -m hatchling build -d $(abspath $(DIST))) || exit 1; done

wheels: setup
	@.ci/wheels

clean:
	rm -rf $(VENV) dist site .cache docs/reference .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
