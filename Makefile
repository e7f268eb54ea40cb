# Everything a person types. Needs python3 (3.11 or later) and nothing else; see README.md.
SHELL := /bin/bash
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
export DO_NOT_TRACK := 1

.PHONY: setup lock lint test

setup: .venv/ready

.venv/ready: requirements.lock
	@echo "Setting up .venv (once)"
	@python3 -c 'import sys; sys.exit("Pennypost needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	@python3 -m venv .venv
	@$(PY) -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[^ ]*' requirements.lock)"
	@.venv/bin/uv pip sync --quiet --require-hashes --python $(PY) requirements.lock
	@touch $@

lock: setup ## Resolve the dependencies of pyproject.toml anew
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --universal \
		--python-version 3.11 --group dev --upgrade pyproject.toml -o requirements.lock

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

test: setup
	$(PY) -m pytest -m "not browser"
