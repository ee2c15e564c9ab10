# Two commands for a fresh machine: `make run` and `make test`. They need Python and nothing else; everything they
# install goes into .venv; everything they write into var/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test bench check fmt lock clean

# The versions that the project promises. The first one that is on the machine is taken; `make test PYTHON=3.12` takes
# that one. A variable of the environment with this name does not count.
PYTHONS = 3.13 3.12 3.14
PYTHON =
OLDEST = $(firstword $(sort $(PYTHONS)))
VENV = .venv$(PYTHON:%=/%)
VENVS = .venv $(PYTHONS:%=.venv/%)

# Two processes, each with a Valkey and a database of its own; whole files, in their order: the browser's come last.
TOGETHER = -n 2 --dist loadfile --no-loadscope-reorder
ON_POSTGRES = $(addprefix tests/test_,backend.py keeper.py line.py models.py services.py stats.py worker.py::test_it_works)
CHROMIUMS = chromium chromium-browser google-chrome google-chrome-stable

PIP = $(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version $(OLDEST) --generate-hashes \
	--custom-compile-command "make lock"
DEVELOPMENT = DEBUG=1
# What `check --deploy` judges is a production site; its key only has to look like one.
PRODUCTION = DEBUG=0 ALLOWED_HOSTS=queue.example SECRET_KEY=$$(od -An -N40 -tx1 /dev/urandom | tr -d ' \n')

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 | /p' Makefile | while IFS='|' read -r name text; do \
		printf 'make %-12s %s\n' "$$name" "$$text"; done
	@echo; echo "run, bench and the tests take PYTHON=3.12 (or another of $(PYTHONS)); each version gets a venv of its own."

run: $(VENV)/installed-run  ## set up and serve the site on http://127.0.0.1:8000 (PORT=…, WORKERS=…)
	@DEBUG=$${DEBUG:-1} exec $(VENV)/bin/python -m config.run

test: $(VENV)/installed-dev  ## set up and run all of the tests (ARGS="-k line" chooses)
	@for browser in $(CHROMIUMS); do command -v $$browser >/dev/null && exit 0; done; \
	echo "The browser tests need Chromium: install it, for example with 'apt-get install chromium'." >&2; exit 1
	@$(VENV)/bin/python -m pytest $(if $(ARGS),$(ARGS),$(TOGETHER))
	@if [ -z "$(ARGS)" ]; then echo "Once more on PostgreSQL, what speaks to the database:"; \
		TEST_DATABASE=postgres $(VENV)/bin/python -m pytest $(ON_POSTGRES); fi

bench: $(VENV)/installed-dev  ## measure it all beside stock RQ, and write docs/benchmarks.md (ARGS="joining" chooses)
	@$(VENV)/bin/python -m tests.benchmarks $(ARGS)

check: .venv/installed-dev  ## lint, types, layers, templates, deployment settings, migrations
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(DEVELOPMENT) .venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djade --target-version 6.1 --check $$(find . -path ./.venv -prune -o -path '*templates*' -name '*.html' -print)
	@echo "manage.py check --deploy" && $(PRODUCTION) .venv/bin/python manage.py check --deploy --fail-level WARNING
	$(DEVELOPMENT) .venv/bin/python manage.py makemigrations --check --dry-run

fmt: .venv/installed-dev  ## format the code and the templates
	.venv/bin/ruff check --fix-only --exit-zero
	.venv/bin/ruff format
	-.venv/bin/djade --target-version 6.1 $$(find . -path ./.venv -prune -o -path '*templates*' -name '*.html' -print)

lock: .venv/installed-dev  ## pin the packages of requirements*.in again (UPGRADE=--upgrade for newer ones)
	$(LOCK) $(UPGRADE) requirements.in -o requirements.txt
	$(LOCK) $(UPGRADE) requirements-dev.in -o requirements-dev.txt

clean:  ## remove .venv and caches; var/, which holds the site's data, stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each stamp says: the packages of that file, as it is now, are in this venv.
$(VENVS:%=%/installed-run): %/installed-run: requirements.txt | %/made
	@echo "Installing what the site needs; this happens once."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENVS:%=%/installed-dev): %/installed-dev: requirements-dev.txt | %/made
	@echo "Installing what the tests and checks need; this happens once."
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(@D)/installed-run

$(VENVS:%=%/made): %/made:
	@python=$$(tools/find-python $(or $(filter $(PYTHONS),$(notdir $*)),$(PYTHONS))) || { \
		echo "No Python of $(PYTHONS) was found with its venv module; install one (on Debian: python3 and" \
			"python3-venv)." >&2; exit 1; }; \
	echo "Making $* with $$("$$python" --version)."; \
	"$$python" -m venv --clear $* && touch $@
