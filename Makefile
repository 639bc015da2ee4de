# `make` alone says what there is. Needs Python 3.11 to 3.13 and make; everything else it fetches into .venv.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
ETL := $(VENV)/bin/etl
PY := $(VENV)/bin/python
MAPPING ?= phone-nightly
ARGS ?=
# A run that ends with 3 did its work: some rows were rejected, and it said where they are.
OR_REJECTS := || { code=$$?; [ $$code -eq 3 ] || exit $$code; }

.PHONY: help setup import sandbox test crash tamper check format bench screenshot docs samples golden clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo '  make import FILE=my.csv MAPPING=phone-nightly   an import of your own (to the sandbox; ARGS for more options)'

setup: $(VENV)/.ready ## the environment (.venv); the other targets make it themselves

$(VENV)/.ready: pyproject.toml constraints.txt
	@set -e; for p in python3.13 python3.12 python3.11 python3; do \
	  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then found=$$p; break; fi; \
	done; \
	[ -n "$$found" ] || { echo 'etl needs Python 3.11, 3.12 or 3.13 on the PATH.' >&2; exit 1; }; \
	echo "making $(VENV) with $$found (a minute or two, once)"; \
	$$found -m venv $(VENV); \
	$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

import: setup ## the main job: a call log, mail and another CRM's tasks into the sandbox; or FILE=... MAPPING=...
ifdef FILE
	@$(ETL) run "$(FILE)" -m "$(MAPPING)" $(ARGS) $(OR_REJECTS)
else
	@$(ETL) run sample_data/calls.csv -m phone-nightly $(ARGS) $(OR_REJECTS)
	@$(ETL) run sample_data/emails.csv -m email-csv $(ARGS) $(OR_REJECTS)
	@$(ETL) run sample_data/salesforce/tasks.csv -m salesforce-tasks $(ARGS) $(OR_REJECTS)
	@$(ETL) status
endif

sandbox: setup ## serves the sandbox, to look at what was imported (Ctrl-C ends it)
	@$(ETL) sandbox serve $(ARGS)

test: setup ## all tests, four at a time: they wait more than they work (WORKERS=8)
	@$(PY) -m pytest --numprocesses $(or $(WORKERS),4) --dist worksteal $(ARGS)

crash: setup ## kills real loaders again and again, and compares everything (KILLS=200 WIRE=both SEED=7 RESULTS=FILE)
	@$(PY) -m tests.crash.harness --kills $(or $(KILLS),200) --wire $(or $(WIRE),both) $(if $(SEED),--seed $(SEED)) $(if $(RESULTS),--results $(RESULTS)) $(ARGS)

tamper: setup ## loads engagements, tampers with some, and lets `etl verify` name them (ROWS=100000 TAMPERED=50 WIRE=objects SEED=1)
	@$(PY) -m tests.verify.tamper --rows $(or $(ROWS),100000) --tampered $(or $(TAMPERED),50) --api $(or $(WIRE),objects) --seed $(or $(SEED),1)

check: setup ## lint, formatting, types, import rules
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

format: setup ## formats the code
	@$(VENV)/bin/ruff check --fix . ; $(VENV)/bin/ruff format .

bench: setup ## product and baseline in turn, with ratios (ROWS=1000000 RUNS=3)
	@$(PY) tests/benchmarks/bench.py $(or $(WHAT),plan) --rows $(or $(ROWS),1000000) --runs $(or $(RUNS),3)

screenshot: setup ## takes docs/timeline.png again (needs chromium and chromium-driver)
	@$(PY) -m tests.sandbox.screenshot

docs: setup ## writes the generated pages of docs/ again
	@$(PY) docs/generate.py

samples: setup ## writes sample_data again (the same bytes)
	@$(PY) sample_data/generate.py

golden: setup ## writes the payloads that the presets' samples must give again: read the difference like code
	@GOLDEN=write $(PY) -m pytest tests/presets

clean: ## removes the environment and the sandbox's state
	@rm -rf $(VENV) .etl
