# Two commands on a fresh machine: make demo, make test. Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# What looks for barriers in the browser tests, by name; npm knows where it comes from.
AXE := axe-core@4.14.1

.PHONY: help install demo axe test nightly clean

help:
	@echo "make demo     install, recommend, write a sample data set, train on it (some minutes)"
	@echo "make test     install with the test tools and run every check"
	@echo "make install  install everything into $(VENV), so that $(VENV)/bin/evtl works"
	@echo "make axe      install what the browser tests look for barriers with (needs npm)"
	@echo "make nightly  fuzz the imports and the API with many more examples"
	@echo "make clean    remove $(VENV), demo and caches"

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# A stamp a set of extras: installed again only when what is to be installed has changed.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train,review,web]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable '.[train,lite,review,postgres,export,web,test]'
	@touch $@

install: $(VENV)/.installed-test

demo: $(VENV)/.installed
	@rm -rf demo && mkdir demo
	$(VENV)/bin/evtl recommend --modality ultrasound --n 800
	$(VENV)/bin/evtl sample-data demo/images --n 200 --seed 0
	$(VENV)/bin/evtl train demo/images --modality ultrasound --anatomy breast --out demo/run
	$(VENV)/bin/evtl runs

# Without npm the browser tests that need it are skipped, which fails continuous integration.
$(VENV)/.installed-$(AXE): $(VENV)/.installed-test
	@if command -v npm >/dev/null; then \
	    npm install --prefix $(VENV)/npm --no-save --no-audit --no-fund --loglevel error $(AXE) && touch $@; \
	else echo "npm is not installed: pages are not searched for barriers"; fi

axe: $(VENV)/.installed-$(AXE)

test: $(VENV)/.installed-test $(VENV)/.installed-$(AXE)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	MYPYPATH=benchmarks $(VENV)/bin/mypy benchmarks
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/pytest --numprocesses logical --maxprocesses 4 --dist loadfile

# Ten thousand examples where `make test` tries five hundred.
nightly: $(VENV)/.installed-test
	$(VENV)/bin/pytest -m nightly

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
