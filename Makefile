# The two commands for a fresh machine are `make run` and `make test`; `make help` tells the rest.

PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
DEBIAN := prometheus prometheus-alertmanager chromium chromium-driver
FAULT_RUNS ?= 200
WORKERS ?= logical
SECONDS_EACH = $(or $(SECONDS),60)
RUNTIME_LOCK := --python-version 3.11 --extra build pyproject.toml -o requirements.lock
TEST_LOCK := --python-version 3.11 --extra build --extra test pyproject.toml -c requirements.lock -o requirements-test.lock

.DEFAULT_GOAL := help
.PHONY: help run test faults fuzz bench lock clean environment test-environment

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf 'make %-17s %s\n' "$$name" "$$text"; done

run: environment  ## start Vigil, replay the shipped data, go on serving (ONCE=1 stops after it; DATA=flights)
	@$(BIN)/vigil demo $(if $(ONCE),--once) $(if $(DATA),--data $(DATA))

test: export NO_COLOR = 1
test: export PYTHONDONTWRITEBYTECODE =
test: test-environment  ## pass ruff, mypy, lint-imports and all tests (WORKERS=n processes; one for each core)
	@sh deploy/debian-packages.sh $(DEBIAN)
	@echo '== ruff' && $(BIN)/ruff check .
	@echo '== mypy' && $(BIN)/mypy
	@echo '== lint-imports' && $(BIN)/lint-imports
	@echo '== pytest' && $(BIN)/python -m pytest --color=no -n $(WORKERS) --dist worksteal

faults: test-environment  ## kill and break the service FAULT_RUNS times (200; make test does it 10 times)
	@FAULT_RUNS=$(FAULT_RUNS) $(BIN)/python -m pytest -m faults --timeout=0

fuzz: test-environment  ## run each fuzzer over the readers of what comes from outside for SECONDS (60)
	@for codec in json ndjson arrow parquet csv; do \
		$(BIN)/python tests/fuzz/codec_fuzzer.py $$codec -max_total_time=$(SECONDS_EACH) || exit 1; done
	@for format in sagemaker databricks mlflow bentoml payload; do \
		$(BIN)/python tests/fuzz/source_fuzzer.py $$format -max_total_time=$(SECONDS_EACH) || exit 1; done
	@$(BIN)/python tests/fuzz/event_fuzzer.py -max_total_time=$(SECONDS_EACH)
	@FUZZ_EXAMPLES=200 $(BIN)/python -m pytest -q tests/integration/test_api_fuzz.py

bench: test-environment  ## print a JSON line a benchmark (ONLY=name, PEERS=1 beside the peers, DATA=folder, QUICK=1, ROWS=n)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY)) $(if $(PEERS),--peers) $(if $(QUICK),--quick) \
		$(if $(ROWS),--rows $(ROWS)) \
		$(if $(DATA),--data $(DATA)) $(if $(WRITE),--write $(WRITE))

environment:  ## make .venv from requirements.lock, where it is not made yet
	@sh deploy/environment.sh "$(PYTHON)" requirements.lock

test-environment: environment  ## the same with requirements-test.lock on top
	@sh deploy/environment.sh "$(PYTHON)" requirements-test.lock

lock:  ## write both locks anew with uv; pins stay where they can (UPGRADE=1 moves them)
	@command -v uv >/dev/null || { echo 'make lock needs uv: python3 -m pip install uv' >&2; exit 1; }
	uv pip compile --quiet --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade) $(RUNTIME_LOCK)
	uv pip compile --quiet --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade) $(TEST_LOCK)

clean:  ## remove .venv, caches and builds (what Vigil wrote, in var/, stays)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
