# `make help` lists the targets. Everything runs in .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Another reader of AstroImageJ tables; of what it depends on, that reader needs astropy alone.
STELLARPHOT := stellarphot>=2.1.2

.PHONY: help demo test check format bench docs site pictures clean
.DEFAULT_GOAL := help

help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/run: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/tools: $(VENV)/run
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,check,docs]'
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[oracle]' \
		|| echo 'NOTE: novas cannot be built here (no C compiler?): its tests are skipped' >&2
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps '$(STELLARPHOT)' \
		|| echo 'NOTE: stellarphot cannot be installed here: its tests are skipped' >&2
	@touch $@

demo: $(VENV)/run ## Simulate a small night, reduce it, show truth beside result
	$(BIN)/lightcurve demo

test: $(VENV)/tools ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

check: $(VENV)/tools ## Style, types, docstrings and the import contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_house.py

format: $(VENV)/tools ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/tools ## Measure speed and memory (minutes)
	$(BIN)/python -m benchmarks

docs: $(VENV)/run ## Write into the manual what it has from the program
	$(BIN)/python -m benchmarks.manual

site: $(VENV)/tools ## Build the documentation site into build/site
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

pictures: $(VENV)/tools ## Make the pictures of the README anew
	$(BIN)/python -m benchmarks.pictures

clean: ## Remove the environment and caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
