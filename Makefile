# make demo   fine-tune, audit and report on embedded data      make test      lint, types, tests
# make validate   long simulations and model zoos               make bench     times against their targets
# make zoo    error rates of the search for shortcuts: zoo.json and zoo.md, as in docs/drift.md (a quarter of an hour)
# make pictures   the image and figures of the demo in README and docs, from audit-demo
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
    $(python) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(python))) python3)
BIN := .venv/bin
USER := .venv/installed-for-users
STAMP := .venv/installed
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --constraint constraints.txt

# The CPU build of torch is a tenth of the other one's size: make demo CPU_TORCH=URL, the index that PyTorch's own
# installation page names for it. Without one, or where it is not reached, any build will do.
CPU_TORCH ?=
ACCELERATOR := $(wildcard /dev/nvidiactl /dev/kfd)

.PHONY: demo test lint unit validate zoo bench pictures clean
.DEFAULT_GOAL := test

.venv/bin/python:
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo 'transfer-audit needs Python 3.11 or newer: make PYTHON=python3.12'; exit 1; }
	@echo "A virtual environment in .venv ..."
	@$(PYTHON) -m venv .venv

# What an audit needs and no more.
$(USER): pyproject.toml constraints.txt | .venv/bin/python
	@test -e $(STAMP) || { echo "Installing what an audit needs (torch and fifty smaller packages; a few minutes) ..."; \
	    $(if $(or $(ACCELERATOR),$(if $(CPU_TORCH),,none)),:,$(PIP) --retries 0 --timeout 5 --index-url $(CPU_TORCH) torch torchvision 2>/dev/null || :); \
	    $(PIP) --editable '.[train]'; }
	@touch $(USER)

# What development needs, too.
$(STAMP): pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing what development needs ..."
	@$(PIP) --quiet --editable '.[dev]'
	@touch $(STAMP) $(USER)

demo: $(USER)
	$(BIN)/audit demo --out audit-demo || test $$? -eq 1 -o $$? -eq 3  # the demo's model has risks to be found

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Side by side: on two cores, mypy needs one of them for a minute.
test: $(STAMP)
	$(MAKE) --no-print-directory --jobs 2 lint unit

unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m 'not slow'

validate: $(STAMP)
	$(BIN)/python -m pytest -m slow --timeout 7200

zoo: $(STAMP)
	$(BIN)/python -m tests.probes.drift.shortcut_zoo --relied 8 --benign 66 --first 11000 --out zoo

bench: $(STAMP)
	$(BIN)/python benchmarks/table.py --json bench.json

pictures: $(STAMP)
	test -e audit-demo/results.json || $(MAKE) demo
	$(BIN)/python docs/pictures.py audit-demo

clean:
	rm -rf .venv audit-demo build dist *.egg-info
