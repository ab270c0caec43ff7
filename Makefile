# Every target sets up .venv by itself; Python 3.11 or newer and libgomp1 are all that must be there before.
#
# PYTHON   the interpreter that .venv is made from
# PORT     where `make serve` listens
PYTHON ?= python3
PORT ?= 3000
BIN := .venv/bin
READY := .venv/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow check lint serve ui bench bench-skill bench-null bench-serve bench-cohort browser screenshots documents wheel lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

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

bench-serve: export OMP_NUM_THREADS := 1
bench-serve: $(READY) ## the endpoint beside empty ones, a roster, 60 s of load with a swap (4 minutes, idle machine)
	$(BIN)/python -m benchmarks.serve

# Debian's Chromium, for the tests and screenshots of the page. Skipped, without the network, where it is there.
browser: ## install Chromium (Debian or Ubuntu; root or sudo)
	@if command -v chromium >/dev/null; then echo "chromium is there: $$(command -v chromium)"; exit 0; fi; \
	command -v apt-get >/dev/null || { echo "make browser needs apt-get; install Chromium as 'chromium' by hand" >&2; exit 1; }; \
	if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	$$as_root apt-get update -q && \
	$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends chromium </dev/null || \
	{ echo "Chromium could not be installed: as root, run 'apt-get install chromium', then this again" >&2; exit 1; }

screenshots: export OMP_NUM_THREADS := 1
screenshots: $(READY) ## the pictures of the page and of the squad report in docs/ (needs Chromium: make browser)
	$(BIN)/python -m pipelines.screenshots
	$(BIN)/python -m pipelines.squad_pictures

documents: $(READY) ## write again what is generated and tracked: dictionary, datasheet, plausibility, trials, claims, reports
	$(BIN)/pfps dictionary -o DICTIONARY.md
	$(BIN)/python -m pipelines.samples
	$(BIN)/python -m pipelines.plausibility
	$(BIN)/python -m pipelines.trials
	$(BIN)/python -m pipelines.claims
	$(BIN)/python -m pipelines.reporting

wheel: $(READY) ## dist/*.whl with the released bundle inside
	$(BIN)/python -m hatchling build -t wheel

# All extras but spark: pyspark weighs more than all else together, and wants Java.
EXTRAS := train track serve research scale load dev
lock: $(READY) ## pin every dependency again, after a change of pyproject.toml
	$(BIN)/uv pip compile pyproject.toml $(addprefix --extra ,$(EXTRAS)) --generate-hashes --no-header --python-version 3.11 -o requirements.lock

# The stamp is written last, so that a set-up that was interrupted is done again.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "pfps-ml needs Python 3.11 or newer, but $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	echo "Install it, or name another interpreter: make PYTHON=/usr/bin/python3.12 ..." >&2; exit 1; }
	@echo "Setting up .venv from requirements.lock: one to two minutes, 1.6 GB"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --progress-bar off --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -c 'import lightgbm' || { \
	echo "LightGBM cannot be loaded. If libgomp.so.1 is named above: apt-get install libgomp1, then run this again." >&2; \
	exit 1; }
	@touch $@
