# Everything a person types. Needs python3 (3.11 or later) and make, nothing else; see README.md.
SHELL := /bin/bash
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
export DO_NOT_TRACK := 1
export DATA_DIR ?= $(CURDIR)/data
# the calls to the sandbox of the last `make test` that passed
TRAFFIC := $(CURDIR)/test-results/traffic.jsonl
# without compiled files each process would compile all it imports, for six seconds
unexport PYTHONDONTWRITEBYTECODE
export LANDING AS_OF Q CONTACT TO FROM MINUTES SIGNUPS SOURCE REASON FILE

.PHONY: help run serve once sql why erase backup restore test test-browser test-faults test-conformance check-policy precedents lint bench setup lock bench-related coupons check-emails gallery bench-collector rejects mend replay dismiss bench-soak bench-latency

help: ## What there is to type
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: setup ## The made-up shop, the sandbox and the Dagster UI, until Ctrl-C
	@$(PY) -m orchestration.commands.run

serve: setup ## Dagster on your own files and Mailchimp account, until Ctrl-C
	@$(PY) -m orchestration.commands.serve

once: setup ## The main job on a folder: make once LANDING=… DATA_DIR=… AS_OF=…
	@$(PY) -m orchestration.commands.once

sql: setup ## The DuckDB shell, read-only; make sql Q="select …" prints CSV
	@$(PY) -m orchestration.commands.sql

why: setup ## Why somebody got an email, or none: make why CONTACT=<address or id>
	@$(PY) -m orchestration.commands.why

coupons: setup ## The coupon files for the shop, those that are missing made again
	@$(PY) -m orchestration.commands.coupons

rejects: setup ## Rows that could not be read, by source and reason, and what became of them
	@$(PY) -m orchestration.commands.rejects list

mend: setup ## Hand out rejects to be mended: make mend SOURCE=orders REASON=<some of its words>
	@$(PY) -m orchestration.commands.rejects mend

replay: setup ## Put rejects back: make replay FILE=<the mended file>, or SOURCE=… REASON=… as they came
	@$(PY) -m orchestration.commands.rejects replay

dismiss: setup ## Let go of rejects: make dismiss SOURCE=orders REASON=<some of its words>
	@$(PY) -m orchestration.commands.rejects dismiss

erase: setup ## Erase a person from everything: make erase CONTACT=<address or id>
	@$(PY) -m orchestration.commands.erase

backup: setup ## Ledger, tables and keys as they are at one moment: make backup TO=<new folder>
	@$(PY) -m orchestration.commands.backup

restore: setup ## A backup put back: make restore FROM=… DATA_DIR=<new or empty folder>
	@$(PY) -m orchestration.commands.restore

test: setup ## All tests but the browser's, the emails' gates and the longest
	@mkdir -p $(dir $(TRAFFIC)) && rm -f $(TRAFFIC) $(TRAFFIC).part
	SANDBOX_RECORDING=$(TRAFFIC).part $(PY) -m pytest -m "not browser and not thorough" -n 3 --dist loadscope --no-loadscope-reorder
	@mv $(TRAFFIC).part $(TRAFFIC)

test-browser: setup ## The tests in a real Chromium (CHROMIUM=/path/to/chromium if it is elsewhere)
	$(PY) -m pytest -m browser tests/browser

check-emails: setup tests/emails/node_modules/.package-lock.json ## Every email against what mail readers, screen readers and spam filters want
	$(PY) -m pytest tests/emails

gallery: setup ## A page that shows every email in each mode, under DATA_DIR
	@$(PY) -m tests.emails.gallery

tests/emails/node_modules/.package-lock.json: tests/emails/package-lock.json
	npm ci --prefix tests/emails --no-audit --no-fund --loglevel error
	@touch $@

test-faults: setup ## Deliveries killed at every point, and every call failing in every way (FAULTS_SHARE=0.1: a tenth)
	FAULTS_SHARE=$${FAULTS_SHARE:-1} $(PY) -m pytest tests/faults -n 3 --dist worksteal

test-conformance: setup ## The sandbox and our own calls against Mailchimp's specification, read from SHARED (../shared)
	TRAFFIC=$(TRAFFIC) $(PY) -m pytest tests/conformance

check-policy: setup ## The rules for emails against labelled phrases: how many are caught, how many let through
	@$(PY) -m pytest tests/core/test_policy_phrases.py -s

precedents: setup ## Fit the policy check's model anew, after phrases came into orchestration/core/policy_precedents
	@$(PY) -m orchestration.commands.precedents

lint: setup ## Style, and who may import whom
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

bench-latency: setup ## SIGNUPS (50) in MINUTES (10) under 20 views a second: seconds until each has its email, by stage
	$(PY) tests/benchmarks/bench_latency.py --signups $${SIGNUPS:-50} --minutes $${MINUTES:-10}

bench-soak: setup ## MINUTES (15) at a steady rate: what levels off, and what does not
	$(PY) tests/benchmarks/bench_soak.py --minutes $${MINUTES:-15}

bench: setup ## Speed and memory, as ratios measured in one run
	$(PY) tests/benchmarks/run.py

bench-related: setup ## Related reading: hits on Deskdrop (read from ../shared), new articles, time and memory
	$(PY) tests/benchmarks/bench_related.py

bench-collector: setup ## Events a second acknowledged durable, beside an empty answer; killed under load; a full disk
	$(PY) tests/benchmarks/bench_collector.py

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
