# make demo   fine-tune, audit and report on embedded data      make test      lint, types, tests
# make validate   long simulations and model zoos               make bench     every benchmark
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/installed

.PHONY: demo test lint validate bench clean
.DEFAULT_GOAL := test

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "transfer-audit needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,parquet]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/audit demo --out audit-demo || test $$? -eq 1 -o $$? -eq 3  # the demo's model has risks to be found

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2 -m 'not slow'

validate: $(STAMP)
	$(BIN)/python -m pytest -m slow --timeout 7200

bench: $(STAMP)
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv audit-demo build dist *.egg-info
