# Every target sets up .venv by itself; Python 3.11 or newer with venv, and libgomp1, are all that must be there before.
#
# PYTHON   the interpreter that .venv is made from
# PORT     where `make serve` listens
PYTHON ?= python3
PORT ?= 3000
BIN := .venv/bin
READY := .venv/.installed

# A .venv works only in the folder and with the Python that it was made for, which setup_venv.py wrote down; one that was
# moved, or whose Python is gone, is made again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR) $(shell $(BIN)/python --version 2>/dev/null))
$(shell rm -f $(READY))
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-slow check lint serve ui bench bench-skill bench-null bench-serve bench-cohort bench-effects system screenshots messages house documents wheel lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(READY) ## make .venv from requirements.lock, and nothing else; every other target does so by itself
	@echo ".venv is ready"

# One OpenMP thread wherever hundreds of small fits are made: starting threads costs more than the work.
demo: export OMP_NUM_THREADS := 1
demo: $(READY) ## simulate, validate, train, evaluate, release, and score data/examples/roster.csv
	$(BIN)/python -m pipelines.run_all

test: export OMP_NUM_THREADS := 1
test: $(READY) ## the quick tests, with the branch coverage that pyproject.toml demands
	$(BIN)/python -m pytest --cov -n 2 --dist loadfile

test-slow: export OMP_NUM_THREADS := 1
test-slow: $(READY) ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

check: lint test ## what must pass before a commit: lint, then test

lint: $(READY) ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

serve: $(READY) ## the HTTP endpoint on the released bundle, on this machine only (PORT=3000)
	$(BIN)/pfps serve --port $(PORT)

# MLflow reports its use to its makers unless told not to; nothing here leaves the machine.
ui: export MLFLOW_DISABLE_TELEMETRY := true
ui: $(READY) ## MLflow's pages: runs, metrics, figures, registered models
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db --host 127.0.0.1

bench: export OMP_NUM_THREADS := 1
bench: $(READY) ## the released bundle: fresh runners, intervals, and speed against peers (half an hour)
	$(BIN)/python -m benchmarks

# One OpenMP thread, and two processes: many small fits.
bench-skill: export OMP_NUM_THREADS := 1
bench-skill: $(READY) ## every candidate against the truth, within an hour on 2 cores (QUICK=--quick: 10 minutes)
	$(BIN)/python -m benchmarks.skill $(QUICK)

bench-null: export OMP_NUM_THREADS := 1
bench-null: $(READY) ## how often a pathway is preferred where none is better, and how good preferences are
	$(BIN)/python -m benchmarks.preference $(QUICK)

bench-cohort: export OMP_NUM_THREADS := 1
bench-cohort: $(READY) ## a real cohort, simulated: training and recalibration in fresh worlds (a quarter of an hour)
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.training_patients
	$(BIN)/python -m benchmarks.recalibration

bench-effects: export OMP_NUM_THREADS := 1
bench-effects: $(READY) ## intervals of mean effects beside EconML's, in 500 cohorts of five worlds (a quarter of an hour)
	$(BIN)/python -m benchmarks.effects $(QUICK)

bench-serve: export OMP_NUM_THREADS := 1
bench-serve: $(READY) ## the endpoint beside empty ones, a roster, 60 s of load with a swap (4 minutes, idle machine)
	$(BIN)/python -m benchmarks.serve

# Debian's Chromium (the tests and screenshots of the page) and PostgreSQL (a test of tracking; the test starts its own
# server, so none needs to run). Skipped, without the network, where both are there.
system: ## install Chromium and PostgreSQL for the slow tests (Debian or Ubuntu; root or sudo)
	@missing=; \
	command -v chromium >/dev/null || missing=chromium; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	if [ -z "$$missing" ]; then echo "Chromium and PostgreSQL are there"; exit 0; fi; \
	command -v apt-get >/dev/null || { echo "make system needs apt-get; install by hand: $$missing" >&2; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	$$as_root apt-get update -q && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $$missing </dev/null || \
	{ echo "Not installed. As root: apt-get install $$missing; then this again" >&2; exit 1; }

screenshots: export OMP_NUM_THREADS := 1
screenshots: $(READY) ## the pictures of the page and of the squad report in docs/ (needs Chromium: make system)
	$(BIN)/python -m pfps_ml.workflows.pictures

messages: $(READY) ## check the catalogues of messages, and write what is read of them at run time
	$(BIN)/python -m pfps_ml.workflows.messages

house: $(READY) ## the measures of the house, and its picture in the README
	$(BIN)/python -m benchmarks.house

documents: $(READY) ## write again what is generated and tracked: dictionary, datasheet, plausibility, trials, claims, reports
	$(BIN)/pfps dictionary -o DICTIONARY.md
	$(BIN)/python -m pfps_ml.workflows.samples
	$(BIN)/python -m pfps_ml.workflows.world_reports
	$(BIN)/python -m pfps_ml.workflows.claims
	$(BIN)/python -m pfps_ml.workflows.checklist_reports

wheel: $(READY) ## dist/*.whl with the released bundle inside
	$(BIN)/python -m hatchling build -t wheel

# All extras but spark: pyspark weighs more than all else together, and wants Java.
EXTRAS := train track serve research scale load dev
NEWER := 3.12 3.13 3.14
COMPILE = $(BIN)/uv pip compile -q pyproject.toml $(addprefix --extra ,$(EXTRAS)) --python-platform linux \
	--only-binary :all: --generate-hashes --no-header --no-annotate

lock: $(READY) ## pin every dependency again, after a change of pyproject.toml; one lock for Python 3.11 to 3.14
	$(COMPILE) --python-version 3.11 -o requirements.lock >/dev/null
	@for version in $(NEWER); do cp requirements.lock .venv/newer.lock; \
	$(COMPILE) --python-version $$version -o .venv/newer.lock >/dev/null && cmp requirements.lock .venv/newer.lock || \
	{ echo "requirements.lock does not serve Python $$version" >&2; exit 1; }; done

$(READY): requirements.lock pyproject.toml setup_venv.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "pfps-ml needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	echo "Install it, or name another interpreter: make PYTHON=/usr/bin/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) setup_venv.py
