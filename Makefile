# make demo   a hub on a three-node swarm on this machine, from nothing
# make test   every test: units, the lab, the browser; LABS=2: on two labs side by side
# make quick  what breaks most often: a deploy, a server, a plan, the lock, and a failure of each kind
# make test-kernel  what this machine's kernel may lack, on Debian's own in QEMU; half an hour, and not part of make test
# make scorecard  real faults on the lab, each many times, into docs/reliability.md; hours, and not part of make test
# make check  format, lint, types and unit tests
# make audit  known weaknesses in what is pinned; make sbom: bills of materials of the images that are built
# make clean  take everything away again
PYTHON ?= python3
VENV := .venv
SUPPLY := $(VENV)-supply
LABS ?= 1
SIDE_BY_SIDE := $(if $(filter-out 1,$(LABS)),-n $(LABS) --dist loadfile --no-loadscope-reorder)
LAB := SWARMHUB_HOSTS=lab/hosts.toml

.PHONY: demo test test-kernel scorecard quick check audit sbom format lock docs clean

demo: $(VENV)/bin/pip
	@# Debian packages and Python's do not need each other.
	@$(PYTHON) -m lab.packages & $(MAKE) --no-print-directory $(VENV)/.run && wait
	$(VENV)/bin/fab lab.up
	$(LAB) $(VENV)/bin/fab -H swarm-manager1 deploy
	@$(VENV)/bin/fab lab.guide

test: check
	$(VENV)/bin/pytest -q $(SIDE_BY_SIDE) --durations=20 tests/lab

quick: check
	$(VENV)/bin/pytest -q -m quick tests/lab

test-kernel: $(VENV)/.dev
	KERNEL_REPORT=docs/reliability.md $(VENV)/bin/pytest -q tests/kernel

scorecard: $(VENV)/.dev
	SCORECARD_REPORT=docs/reliability.md $(VENV)/bin/pytest -q tests/scorecard

check: $(VENV)/.dev
	$(VENV)/bin/ruff format --check --quiet .
	$(VENV)/bin/ruff check --quiet .
	$(VENV)/bin/mypy --no-error-summary
	@said=$$($(VENV)/bin/lint-imports --no-logo --no-cache) || { echo "$$said"; exit 1; }
	$(VENV)/bin/shellcheck $$(git grep -lE '^#!.*sh$$')
	$(VENV)/bin/shellcheck --shell=sh $$(git ls-files '*.sh')
	$(VENV)/bin/pytest -q -n auto tests/unit

audit: $(SUPPLY)/.installed
	$(SUPPLY)/bin/python -m supply.audit

sbom: $(SUPPLY)/.installed $(VENV)/.run
	@set -e; listed=$$($(VENV)/bin/python -m supply.listed); echo "$$listed" | $(SUPPLY)/bin/python -m supply.sbom sbom

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: $(VENV)/.dev
	$(VENV)/bin/python -m swarmhub.settings.reference

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements.in -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --override hub/requirements-overrides.in requirements-dev.in -o requirements-dev.lock
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-header --no-annotate --override hub/requirements-overrides.in hub/requirements.in -o hub/requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate supply/requirements.in -o supply/requirements.lock
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-header --no-annotate hub/requirements-build.in -o hub/requirements-build.lock
	uv pip compile --quiet --python-version 3.13 --generate-hashes --no-header --no-annotate --override hub/requirements-overrides.in lab/notebook/requirements.in -o lab/notebook/requirements.lock

clean:
	@if [ -x $(VENV)/bin/fab ]; then SWARMHUB_LAB=1 $(VENV)/bin/fab lab.down; $(VENV)/bin/fab lab.down --images; fi
	rm -rf $(VENV) $(SUPPLY) sbom .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && apt-get -o DPkg::Lock::Timeout=300 install -y -qq python3-venv; } || \
	  { echo "Python's venv module is missing: install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(SUPPLY)/.installed: supply/requirements.lock
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r supply/requirements.lock
	@touch $@

$(VENV)/.run: requirements.lock | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@ $(VENV)/.run
