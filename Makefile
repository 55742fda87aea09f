# Works in a path with spaces: every path here is relative, because make splits its targets at spaces.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check docs bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv with everything locked in requirements.lock (the second time needs no network)
	@sh .ci/setup

demo: setup ## run a process from start to end on an embedded PostgreSQL
	@.venv/bin/stepwell demo

test: setup ## run all tests (STEPWELL_TEST_POSTGRES=system: on the system's PostgreSQL)
	@.venv/bin/python -m pytest $(if $(STEPWELL_TEST_DATABASE_URL),,-n 2 --dist worksteal)

check: setup ## lint, format, types, import layers, schema, client, made pages
	@sh .ci/check

docs: setup ## write the parts of the pages that are made from the code
	@.venv/bin/python -m tests.docs.made

bench: setup ## measure Stepwell beside others, into bench-results/ (hours; QUICK=1: minutes, to see that it works)
	@sh .ci/bench $(if $(QUICK),--quick)

clean: ## remove .venv, caches and everything built
	@rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
