# Every target installs what it needs into .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench run check format requirements clean

demo: .venv/installed ## everything on this machine, no accounts or keys: make demo ARGS=--once plays the story and exits
	@$(BIN)/gatekeeper demo $(ARGS)

test: .venv/installed ## format, lint, types, imports, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto $(ARGS)

bench: .venv/installed ## the figures of docs/performance.md, measured on this machine
	@$(BIN)/python -m bench $(ARGS)

run: .venv/installed .env ## the processes of the Procfile with the settings of .env
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/honcho start $(ARGS)

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
