# Everything a developer or a first-time user types. `make help` lists it.
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-whisperx setup-npm setup-peers demo run down test check lint types imports drift schemas dashboards bench faults clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

setup: ## Install what is needed: virtual environment, rabbitmq-server, ffmpeg; starts nothing
	@scripts/setup.sh

setup-whisperx: setup ## Install the second environment, with torch, that tests/whisperx runs in (7 GB); make test does
	@scripts/setup-whisperx.sh

setup-npm: ## Install the official Node clients that tests drive, where npm is there (100 MB); make test does
	@scripts/setup-npm.sh

setup-peers: setup ## Install what `make bench` measures search and streams against (1.2 GB)
	@scripts/setup-peers.sh

demo: setup ## Transcribe the demo recording, ask six questions, check every answer, stop everything
	@./earshot demo

run: setup ## Leave Earshot running with the demo recording loaded; make down stops it
	@./earshot up --detach --demo

down: ## Stop what make run started; its data stays in .earshot
	@if [ -x $(VENV)/python ]; then ./earshot down; fi

test: setup ## Run all tests on throwaway servers (ARGS="tests/unit -k words" narrows it)
	scripts/test.sh $(ARGS)

check: lint types imports drift test ## All that must be green: lint, types, import rules, drift, tests

lint: setup ## Style and likely mistakes
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

types: setup ## Static types of the source, strict
	$(VENV)/pyright

imports: setup ## Who may import whom
	$(VENV)/lint-imports

drift: setup ## Do the generated files still say what the code says?
	./earshot schemas --check

schemas: setup ## Write the generated files anew
	./earshot schemas

dashboards: setup ## Write Grafana's dashboards anew
	$(VENV)/python deploy/grafana/code/write.py

bench: setup ## Measure side by side with raw peers, in one run
	PYTHONPATH=tests $(VENV)/python -m bench $(ARGS)

faults: setup ## Kill, freeze and cut off everything under load, then check the ledger (ARGS="--seed 7" replays)
	$(VENV)/python -m tests.faults $(ARGS)

clean: down ## Remove the virtual environments and caches; data in .earshot and system packages stay
	rm -rf .venv .venv-whisperx .venv-peers .venv-tools .pytest_cache .ruff_cache .import_linter_cache tests/npm/node_modules
	find libs services tests -name __pycache__ -type d -prune -exec rm -rf {} +
