# On a fresh machine this needs Python 3.11 or later, git and make. `make` alone lists what there is.
PYTHON_OF_VENV := .venv/bin/python
READY := .venv/.ready
# The demo needs no development tools.
RUN_READY := .venv/.run-ready
DOCS_READY := .venv-docs/.ready
EXAMPLE ?= invoices
# PATHS limits the tests to those of packages or modules. COVERAGE=1 measures coverage over `make test` and `make test-rest`.
PATHS ?=
COVERAGE ?=
# The floor for all tests is in pyproject.toml; a sample of the slow tests covers less, and not always the same lines.
SAMPLE_FLOOR := $(if $(filter all,$(SWE_AGENT_TEST_SEED)),,--cov-fail-under=90)

.PHONY: help demo test test-core test-core-alone test-rest test-all test-failed test-sandbox test-pythons check dist docs reference lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(RUN_READY)  ## fix an example without a key; EXAMPLE=planner takes another
	$(PYTHON_OF_VENV) scripts/demo.py $(EXAMPLE)

test: $(READY)  ## run the quick tests; PATHS="agent/models aci" takes those of some packages
	$(PYTHON_OF_VENV) scripts/run_tests.py quick $(if $(COVERAGE),--cov --cov-report= --cov-fail-under=0) $(PATHS)

test-core: $(READY)  ## run the quick tests without those of the extensions
	$(PYTHON_OF_VENV) scripts/run_tests.py quick --ignore=tests/extensions

test-core-alone: $(READY)  ## run the core's quick tests in a copy without any extension
	scripts/test_core_alone

test-rest: $(READY)  ## run a sample of the slow tests and of those that need Docker; PATHS as above
	$(PYTHON_OF_VENV) scripts/run_tests.py rest $(if $(COVERAGE),--cov --cov-append $(SAMPLE_FLOOR)) $(PATHS)

test-all: $(READY)  ## run both, with coverage; SWE_AGENT_TEST_SEED=all runs every test
	$(PYTHON_OF_VENV) scripts/run_tests.py all --cov $(if $(PATHS),--cov-fail-under=0,$(SAMPLE_FLOOR)) $(PATHS)

test-failed: $(READY)  ## run the tests that failed in the previous run again, one at a time
	$(PYTHON_OF_VENV) scripts/run_tests.py failed $(if $(COVERAGE),--cov --cov-append --cov-report= --cov-fail-under=0)

test-sandbox: $(READY)  ## run the tests of the sandbox; root runs them as an ordinary user
	scripts/as_user $(PYTHON_OF_VENV) scripts/run_tests.py sandbox $(PATHS)

test-pythons: $(READY)  ## run quick unit tests under the other supported Pythons of this machine
	scripts/test_pythons

check: $(READY)  ## lint, format, types, import contracts, workflows, public names, file lengths
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/zizmor --offline --no-progress --quiet action.yml .github examples/github
	scripts/actionlint .github/workflows/*.yml examples/github/*.yml
	scripts/check_api
	$(PYTHON_OF_VENV) -m pytest --quiet tests/test_architecture.py

dist: $(READY)  ## build the wheel and the sdist, install each in an empty environment, and run the demo there
	$(PYTHON_OF_VENV) scripts/dist.py

docs: $(DOCS_READY)  ## build the documentation site in build/site, and check it
	.venv-docs/bin/python scripts/build_docs.py

reference: $(READY)  ## regenerate the pages of docs/reference
	$(PYTHON_OF_VENV) scripts/reference.py

lock:  ## write the hash-locked requirements anew (needs uv)
	scripts/lock

clean:  ## remove what the other targets made
	rm -rf .venv .venv-* .cache .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.lock pyproject.toml scripts/setup scripts/install_requirements.py
	@scripts/setup
	@touch $@ $(RUN_READY)

$(RUN_READY): requirements.lock scripts/setup scripts/install_requirements.py
	@scripts/setup run
	@touch $@

$(DOCS_READY): requirements-docs.lock scripts/setup scripts/install_requirements.py
	@scripts/setup docs
	@touch $@
