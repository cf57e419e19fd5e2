# On a fresh machine this needs Python 3.11 or later, git and make. `make` alone lists what there is.
PYTHON_OF_VENV := .venv/bin/python
READY := .venv/.ready
EXAMPLE ?= invoices

.PHONY: help demo test test-all check lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY)  ## fix an example without a key; EXAMPLE=planner takes another
	$(PYTHON_OF_VENV) scripts/demo.py $(EXAMPLE)

test: $(READY)  ## run the tests, with coverage
	$(PYTHON_OF_VENV) -m pytest -m "not slow" --numprocesses auto --cov --cov-report term --durations 40

test-all: $(READY)  ## run the tests with the long matrices too
	SWE_AGENT_TEST_ALL=1 $(PYTHON_OF_VENV) -m pytest --numprocesses auto --cov --cov-report term

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
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements-dev.lock pyproject.toml scripts/setup
	scripts/setup
	@touch $@
