PYTHON ?= python3
BIN := .venv/bin
N ?= 10000
SEED ?= 0
JOBS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup demo check test test-all fuzz bench man dist smoke clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: .venv/.installed  ## create .venv and install nfcodec with its development tools, torch among them

.venv/.light: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e .
	touch $@

.venv/.installed: .venv/.light
	$(BIN)/pip install -c constraints.txt -e '.[dev]'
	touch $@

demo: .venv/.light  ## encode the sample picture as it is and permuted, and look at numbers and pictures: a minute
	$(BIN)/python examples/demo.py

check: .venv/.installed  ## lint, formatting, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python -p benchmarks
	$(BIN)/lint-imports

test: .venv/.installed  ## run the tests but the slow ones: minutes
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto --dist worksteal

test-all: .venv/.installed  ## run all tests
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

fuzz: .venv/.installed  ## attack the readers with N mutated inputs, and encode N / 200 random pictures (N=, SEED=, JOBS=)
	$(BIN)/python -m tests.attacks.fuzz $(N) --seed $(SEED) --jobs $(JOBS)
	NFCODEC_EXAMPLES=$$(($(N) / 200 + 1)) $(BIN)/python -m pytest tests/codec/test_promise.py

bench: .venv/.installed  ## what the paper's transforms do to the sample picture: bench-output/report.html (minutes)
	$(BIN)/python -m benchmarks analyze benchmarks/data/sample.png --out bench-output --processes 2

man: .venv/.installed  ## make the manual pages anew from the help of the command line
	$(BIN)/python -m release.man_pages

dist: .venv/.installed  ## make a wheel and an sdist in dist/
	rm -rf dist
	$(BIN)/python -m build

smoke: dist  ## install both into bare environments of each Python at hand, and encode and decode there
	$(BIN)/python -m release.smoke

clean:  ## remove everything that can be made again
	rm -rf .venv build dist demo-output bench-output htmlcov .coverage .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
