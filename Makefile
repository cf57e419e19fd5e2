# On a fresh machine this needs Python 3.11 or later, git and make. `make` alone lists what there is.
PYTHON_OF_VENV := .venv/bin/python
READY := .venv/.ready
EXAMPLE ?= invoices
# make test takes these: packages or modules, and anything to measure coverage.
PATHS ?=
COVERAGE ?=

.PHONY: help demo test test-rest test-all test-pythons check lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY)  ## fix an example without a key; EXAMPLE=planner takes another
	$(PYTHON_OF_VENV) scripts/demo.py $(EXAMPLE)

test: $(READY)  ## run the quick tests; PATHS="agent/models aci" takes those of some packages
	$(PYTHON_OF_VENV) scripts/run_tests.py quick $(if $(COVERAGE),--coverage begin) $(PATHS)

test-rest: $(READY)  ## run the tests that `make COVERAGE=1 test` left out, and report the coverage of both
	$(PYTHON_OF_VENV) scripts/run_tests.py rest --coverage end

test-all: $(READY)  ## run all tests, with coverage
	$(PYTHON_OF_VENV) scripts/run_tests.py all --coverage whole $(PATHS)

test-pythons: $(READY)  ## run quick tests of single modules under the other supported Pythons of this machine
	scripts/test_pythons

check: $(READY)  ## lint, format, types, import contracts, workflows, file lengths
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/zizmor --offline --no-progress --quiet action.yml .github examples/github/swe-agent.yml
	scripts/actionlint .github/workflows/*.yml examples/github/*.yml
	$(PYTHON_OF_VENV) -m pytest --quiet tests/test_house.py

lock:  ## write the hash-locked requirements anew (needs uv)
	scripts/lock

clean:  ## remove what the other targets made
	rm -rf .venv .venv-* .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.lock pyproject.toml scripts/setup
	scripts/setup
	@touch $@
