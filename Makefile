# Two commands for a fresh machine: `make run` and `make test`. They need Python >= 3.12 and nothing else;
# everything they install goes into .venv, everything they write into var/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test bench check fmt lock clean

# The first that works is taken. 3.13 is what the project is tested with. A pyenv shim fails when the version
# in .python-version is not installed, so its real interpreters are tried as well.
PYENV := $(or $(PYENV_ROOT),$(HOME)/.pyenv)
PYTHONS = python3.13 python3 python3.14 python3.12 /usr/bin/python3 $(wildcard $(PYENV)/versions/3.1[2-9]*/bin/python3)
# Two processes, each with a Valkey and a database of its own; whole files, in their order: the browser's come last.
TOGETHER = -n 2 --dist loadfile --no-loadscope-reorder
ON_POSTGRES = $(addprefix tests/unit/,keeper line/test_places.py line/test_queue.py $(addprefix test_,backend.py ending.py facts.py joining.py models.py)) \
	tests/processes/test_worker.py::test_a_worker_runs_the_task_of_a_present_entry_and_keeps_its_result
CHROMIUMS = chromium chromium-browser google-chrome google-chrome-stable

PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--custom-compile-command "make lock"
# What formats and lints scripts, styles and Lua. The tools come from npm, node and npm from a Python package.
NPM = .venv/bin/npm --loglevel=error
BIOME = .venv/bin/node node_modules/@biomejs/biome/bin/biome
LUA = .venv/bin/node tools/lua.mjs
DEVELOPMENT = DEBUG=1
# What `check --deploy` judges is a production site; its key only has to look like one.
PRODUCTION = DEBUG=0 ALLOWED_HOSTS=queue.example SECRET_KEY=$$(od -An -N40 -tx1 /dev/urandom | tr -d ' \n')

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1 | /p' Makefile | while IFS='|' read -r name text; do \
		printf 'make %-6s %s\n' "$$name" "$$text"; done

run: .venv/installed-run  ## set up and serve the site on http://127.0.0.1:8000 (PORT=…, WORKERS=…)
	@DEBUG=$${DEBUG:-1} exec .venv/bin/python -m config.run

test: .venv/installed-dev  ## set up and run all of the tests (ARGS="-k line" chooses)
	@for browser in $(CHROMIUMS); do command -v $$browser >/dev/null && exit 0; done; \
	echo "The browser tests need Chromium: install it, for example with 'apt-get install chromium'." >&2; exit 1
	@.venv/bin/python -m pytest $(if $(ARGS),$(ARGS),$(TOGETHER))
	@if [ -z "$(ARGS)" ]; then echo "Once more on PostgreSQL, what speaks to the database:"; \
		TEST_DATABASE=postgres .venv/bin/python -m pytest $(ON_POSTGRES); fi

bench: .venv/installed-dev  ## measure it all beside stock RQ, and write docs/benchmarks.md (ARGS="joining" chooses)
	@.venv/bin/python -m tests.benchmarks $(ARGS)

check: .venv/installed-dev .venv/installed-npm  ## lint, types, layers, templates, deployment settings, migrations
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(BIOME) check --error-on-warnings
	$(LUA)
	$(DEVELOPMENT) .venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djade --target-version 6.1 --check $$(find . -path ./.venv -prune -o -path '*templates*' -name '*.html' -print)
	@echo "manage.py check --deploy" && $(PRODUCTION) .venv/bin/python manage.py check --deploy --fail-level WARNING
	$(DEVELOPMENT) .venv/bin/python manage.py makemigrations --check --dry-run

fmt: .venv/installed-dev .venv/installed-npm  ## format the code, the templates, scripts, styles and Lua
	.venv/bin/ruff check --fix-only --exit-zero
	.venv/bin/ruff format
	$(BIOME) format --write
	$(LUA) --write
	-.venv/bin/djade --target-version 6.1 $$(find . -path ./.venv -prune -o -path '*templates*' -name '*.html' -print)

lock: .venv/installed-dev  ## pin the packages of requirements*.in and package.json again (UPGRADE=--upgrade for newer ones)
	$(LOCK) $(UPGRADE) requirements.in -o requirements.txt
	$(LOCK) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	$(NPM) install --package-lock-only

clean:  ## remove .venv and caches; var/, which holds the site's data, stays
	rm -rf .venv node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each stamp says: the packages of that file, as it is now, are in .venv.
.venv/installed-run: requirements.txt | .venv/made
	@echo "Installing what the site needs; this happens once."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt | .venv/made
	@echo "Installing what the tests and checks need; this happens once."
	@$(PIP) -r requirements-dev.txt
	@touch $@ .venv/installed-run

.venv/installed-npm: package-lock.json | .venv/installed-dev
	@$(NPM) ci --silent
	@touch $@

.venv/made:
	@for python in $(PYTHONS); do \
		"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue; \
		echo "Making .venv with $$("$$python" --version)."; \
		"$$python" -m venv --clear .venv && touch $@; exit; \
	done; \
	echo "No Python 3.12 or newer with its venv module was found; install one (on Debian: python3 and python3-venv)." >&2; \
	exit 1
