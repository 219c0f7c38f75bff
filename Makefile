# Every target installs what it needs into .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin

# The processes of the Procfile that run on; the first gets the port itself.
PROCESSES := web relay charges emails upkeep

.DEFAULT_GOAL := help
.PHONY: help install demo test postgresql chromium screenshots bench run format requirements clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: .venv/installed ## what it needs, into .venv; then: . .venv/bin/activate

demo: .venv/installed ## everything on this machine, no accounts or keys; ARGS=--once plays the story and exits
	@$(BIN)/gatekeeper demo $(ARGS)

test: .venv/installed postgresql chromium ## format, lint, types, imports, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto $(ARGS)

# The tests start a PostgreSQL server of their own, from the programs that the system has. Debian's
# package also starts one, which nobody needs.
postgresql:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
		|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing the package postgresql, which the tests need ..."; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
				apt-get install -qq --yes --no-install-recommends postgresql >/dev/null \
			&& { service postgresql stop >/dev/null 2>&1 || true; }; \
		else \
			echo "The tests need PostgreSQL's server programs: install the package postgresql of" \
				"Debian or Ubuntu, or put a directory with initdb and postgres on the PATH." >&2; exit 1; \
		fi

chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
		|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing the package chromium, which the browser tests need ..."; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
				apt-get install -qq --yes --no-install-recommends chromium >/dev/null; \
		else \
			echo "The browser tests need Chromium: install the package chromium." >&2; exit 1; \
		fi

screenshots: .venv/installed chromium ## the portal's pages in pictures: screenshots/index.html; ARGS=--readme renews the README's
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

bench: .venv/installed ## the figures of docs/performance.md, measured on this machine
	@$(BIN)/python -m bench $(ARGS)

# Honcho gives each process a port of its own, counted from a base, and would read .env by rules of
# its own: it is told the base, and left without a file.
run: .venv/installed .env ## the Procfile's processes with the settings of .env, on this machine
	@$(BIN)/gatekeeper release
	@PATH="$(abspath $(BIN)):$$PATH" exec $(BIN)/honcho --env /dev/null start \
		--port "$$($(BIN)/python -c 'from gatekeeper.settings import load_settings as load; print(load().port)')" \
		$(ARGS) $(PROCESSES)

format: .venv/installed ## format the code and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: .venv/installed ## compile the pinned requirements from pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --output-file requirements.txt pyproject.toml
	$(BIN)/pip-compile $(COMPILE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

COMPILE := --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.env:
	@echo "There is no .env yet: copy .env.example to .env and fill it in." >&2; exit 1

.venv/installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/it" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "python3 -m venv failed: on Debian, install the package python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

clean: ## remove everything that was installed or made
	rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
