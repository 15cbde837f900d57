# `make demo` shows the program at work; `make test` checks everything. Both set up what they need in .venv, from PyPI.
# PYTHON is the interpreter that .venv is made with: make test PYTHON=python3.12. For `make package` alone, its version is
# that of the runtime to build for, and may be given without it: make package PYTHON=3.12.
PYTHON ?= python3
BIN := .venv/bin
# Two test processes by default; the loopback cloud's tests mostly wait for sockets.
JOBS ?= 2

# One .venv at a time: say so, rather than check with another Python than was asked for.
ifneq ($(filter command environment,$(origin PYTHON)),)
ifeq ($(filter package clean,$(MAKECMDGOALS)),)
ifneq ($(wildcard .venv/ready),)
VERSION := -c 'import sys; print("%d.%d" % sys.version_info[:2])'
ifneq ($(shell $(PYTHON) $(VERSION)),$(shell $(BIN)/python $(VERSION)))
$(error PYTHON=$(PYTHON) is not the Python that .venv was made with, which was left as it is. First: make clean)
endif
endif
endif
endif

.PHONY: demo package test lint types layers unit bench evidence replay mutation soak conformance fuzz cloud status screenshots stack lock clean

demo: .venv/ready
	@$(BIN)/python -m tests.demo

# dist/code.zip, which s.yaml deploys. It takes no time where nothing has changed.
RUNTIME := $(patsubst python%,%,$(filter 3.% python3.%,$(PYTHON:python3=3.10)))
ifneq ($(filter package,$(MAKECMDGOALS)),)
ifeq ($(RUNTIME),)
$(error PYTHON=$(PYTHON) names no runtime; nothing was built. Write make package PYTHON=3.10, or 3.12)
endif
endif
package: override PYTHON := $(or $(filter-out 3.%,$(PYTHON)),python3)
package: .venv/ready
	@$(BIN)/python -m tests.package --python $(RUNTIME)

test: lint types layers unit

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/ready
	$(BIN)/mypy

layers: .venv/ready
	$(BIN)/lint-imports

unit: .venv/ready .venv-reader/ready
	@$(BIN)/python -m tests.page.chromium
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term-missing:skip-covered

# docs/evidence.md anew, with the proofs that take too long for `make test`.
evidence: .venv/ready .venv-reader/ready
	$(BIN)/python -m pytest -n $(JOBS) -m "evidence or long" --evidence write

# What a rotation costs, against what one would write instead (docs/performance.md). It takes minutes and wants an idle
# machine; `make bench QUICK=1` takes one, and leaves the published figures alone.
bench: .venv/ready dist/bench/boto3.ready
	@$(BIN)/python -m tests.bench $(if $(QUICK),--quick)

# The peer on another cloud. Without a network the benchmark goes on without it, and says so.
dist/bench/boto3.ready: tests/bench/requirements.txt .venv/ready
	@echo "Installing boto3, to compare with ..." && mkdir -p dist/bench && rm -rf dist/bench/boto3
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --target dist/bench/boto3 -r $< \
	  && touch $@ || { rm -rf dist/bench/boto3; echo "boto3 could not be installed: the benchmark goes on without it."; }

# One run of the random simulation, step by step: make replay SEED=17. What a failing run prints is such a command.
replay: .venv/ready
	@$(BIN)/python -m tests.protocol.replay $(SEED)

# The core changed in every small way; each change that no test notices must be on the list of those with a reason.
mutation: .venv/ready
	@$(BIN)/python -m tests.mutation

# Hours of work with faults and kills at random. Another run: make soak SOAK_SEED=17
soak: .venv/ready
	$(BIN)/python -m pytest -n 0 -m "long or not long" -s tests/wire/test_soak.py

# The contract on a real account (docs/conformance.md); without CONFORMANCE_CONFIRM it says what it would do, sends nothing.
conformance: .venv/ready
	@$(BIN)/python -m tests.conformance

# The property tests with examples that nobody has tried; what they find becomes a test of its own.
fuzz: .venv/ready
	HYPOTHESIS_PROFILE=search $(BIN)/python -m pytest -n $(JOBS) tests/unit/test_events_properties.py \
	  tests/unit/test_events_equivalences.py tests/unit/test_history.py tests/unit/test_password.py \
	  tests/unit/test_settings.py tests/loopback/test_signature_properties.py tests/wire/test_garbage.py \
	  tests/wire/test_garbage_status.py

# A loopback cloud to point one's own scripts at; it prints the environment to export. On a port: make cloud PORT=8080
cloud: .venv/ready
	@$(BIN)/python -m tests.localcloud $(if $(PORT),--port $(PORT))

# The status page in an ordinary browser: make status URL=https://....fcapp.run. It signs with your own access key.
status: .venv/ready
	@$(BIN)/python -m tests.viewer '$(URL)'

# docs/status-page*.png anew: the status page of a made-up directory, as Chromium shows it.
screenshots: .venv/ready
	@$(BIN)/python -m tests.page.screenshots

# docs/stack.json anew, from s.yaml and the functions' policies; a test asks for it when they have changed.
stack: .venv/ready
	$(BIN)/python -m tests.stack.template

# tests/environment.py says what goes wrong, but for a Python that cannot run it.
define SET_UP
@$(PYTHON) -c '' || { echo "PYTHON=$(PYTHON) does not run; nothing was changed. It needs Python 3.10 or later: make PYTHON=python3.12, or install it (on Debian: apt-get install python3-venv)." >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "PYTHON=$(PYTHON) is Python %d.%d; nothing was changed. It needs 3.10 or later: make PYTHON=python3.12" % sys.version_info[:2])'
@$(PYTHON) -m tests.environment $@ $^
endef

.venv/ready: requirements.txt tests/requirements.txt
	$(SET_UP)

# The official client of secret readers needs an old pyOpenSSL, so it lives apart (tests/reader/requirements.in).
.venv-reader/ready: tests/reader/requirements.txt
	$(SET_UP)

lock: .venv/ready
	@for file in requirements tests/requirements tests/reader/requirements tests/bench/requirements; do \
	  echo "Locking $$file.in as $$file.txt ..."; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-strip-extras \
	    --no-emit-index-url --custom-compile-command "make lock" --output-file $$file.txt $$file.in || exit 1; \
	done

# What is unpacked is read-only, as it is on Function Compute.
clean:
	@if [ -d dist ]; then chmod -R u+w dist; fi
	rm -rf dist .venv .venv-reader .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
