# Two commands do everything: `make run` (the main job on the embedded default) and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-from-lock
PIP = $(BIN)/python -m pip install --disable-pip-version-check
PACKAGES = $$(grep -c '==' requirements.lock)
RUN_ARGS ?=
CHAOS_ARGS ?=
# Of the tests: on two cores a third works while others wait for processes of theirs.
PROCESSES ?= 3
BENCH_ARGS ?=

# A search and its tests start many processes: each would compile all packages anew.
unexport PYTHONDONTWRITEBYTECODE

# What pip prints, as a line now and then; what it says on standard error stays. Ends as pip did.
define CALMLY
{ n=0; while read -r line; do case "$$line" in \
  Collecting*) n=$$((n + 1)); [ $$((n % 25)) -ne 0 ] || echo "  $$n packages found ...";; \
  Downloading*"("[0-9][0-9][0-9]*" MB)"*) echo "  $$line";; \
  Installing*) echo "  all are here; unpacking them takes some minutes ...";; \
  "status "*) exit "$${line#status }";; \
esac; done; exit 1; }
endef

.PHONY: run test check docs chaos test-hosts golden bench format install ui dashboard clean

run: install
	$(BIN)/python search/run.py --preset mini --lang ar $(RUN_ARGS)

test: install
	$(BIN)/python -m pytest -q -n $(PROCESSES) --dist loadscope --no-loadscope-reorder
	$(MAKE) --no-print-directory check

# A search is disturbed in ten ways, twice each, and must end like an undisturbed one.
chaos: install
	$(BIN)/python -m tests.cluster.chaos $(CHAOS_ARGS)

# `ray up` on three hosts that are namespaces of this machine; needs root, sshd, rsync, iproute2.
test-hosts: install
	$(BIN)/python -m tests.cluster.ray_up

# The stored losses and scores of tests/recipes/golden: of this processor's family, and of AVX2.
golden: install
	$(BIN)/python -m tests.recipes.make_golden
	case "$$(uname -m)" in x86_64) ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 \
	  MKL_ENABLE_INSTRUCTIONS=AVX2 $(BIN)/python -m tests.recipes.make_golden;; esac

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(MAKE) --no-print-directory docs

# A broken link is a failure (mkdocs.yml), but not with --quiet: what is not told is not counted.
# The variable leaves out an advertisement.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "the documentation is in site/index.html"

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Beside the strong rival too, where `.venv/bin/pip install -e .[rival]` was done.
bench: install
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

ui: install
	$(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db

# The newest study, while it runs too; another one: make dashboard STUDY=studies/NAME.journal
dashboard: install
	$(BIN)/optuna-dashboard $(or $(STUDY),$(firstword $(shell ls -t studies/*.journal)))

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  command -v python3 >/dev/null 2>&1 && python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
	  || { echo "error: Python 3.11 is needed, but neither $(PYTHON) nor a python3 of that version was found." >&2; exit 2; }; }
	@test -x $(BIN)/python || { command -v $(PYTHON) >/dev/null 2>&1 && $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV); }
	@echo "installing the environment into $(VENV): $(PACKAGES) packages, about 5 minutes the first time ..."
	@{ $(PIP) --no-compile -r requirements.lock; echo "status $$?"; } | $(CALMLY)
	@echo "  the project itself ..."
	@$(PIP) -q --no-deps --no-build-isolation -e .
	@echo "the environment is ready"
	@touch $(STAMP)

clean:
	rm -rf $(VENV) site runs studies exports reports benchmark-results ray_results mlartifacts mlflow.db
