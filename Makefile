# Two commands for a fresh machine: `make run` and `make test`. They need Python and nothing else; everything they
# install goes into .venv, but for the browsers of the tests (see tools/machine.py); everything they write into var/.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run admin test test-fast test-slow test-pythons bench corpus flood soak mutants check docs links walk compose-walk audit fmt \
	lock clean

# The versions that the project promises. The first one that is on the machine is taken; `make test PYTHON=3.12` takes
# that one. A variable of the environment with this name does not count.
PYTHONS = 3.13 3.12 3.14
PYTHON =
OLDEST = $(firstword $(sort $(PYTHONS)))
$(if $(filter-out $(PYTHONS),$(PYTHON)),$(error PYTHON is one of $(PYTHONS), not $(PYTHON)))
VENV = .venv$(PYTHON:%=/%)
VENVS = .venv $(PYTHONS:%=.venv/%)

PIP = $(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version $(OLDEST) --generate-hashes \
	--custom-compile-command "make lock" --no-emit-package openvino-telemetry  # it tells its maker of each import
# The tools that format and lint scripts, styles and Lua come from npm; node and npm come from a Python package.
NPM = .venv/bin/npm --loglevel=error
BIOME = .venv/bin/node node_modules/@biomejs/biome/bin/biome
LUA = .venv/bin/node tools/lua.mjs
DEVELOPMENT = DEBUG=1
# The site of the documents. A warning is an error: a link or an anchor that leads nowhere, or a page in no list.
DOCS = .venv/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -c docs/site . var/docs
# What `check --deploy` judges is a production site; its key only has to look like one.
PRODUCTION = DEBUG=0 ALLOWED_HOSTS=queue.example TRUSTED_PROXIES=127.0.0.1 SECRET_KEY=$$(od -An -N40 -tx1 /dev/urandom | tr -d ' \n')

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 | /p' Makefile | while IFS='|' read -r name text; do \
		printf 'make %-13s %s\n' "$$name" "$$text"; done
	@echo; echo "run, bench and the tests take PYTHON=3.12 (or another of $(PYTHONS)); each version gets a venv of its own."

run: $(VENV)/installed-run  ## set up and serve the site on http://127.0.0.1:8000 (PORT=…, WORKERS=…)
	@DEBUG=$${DEBUG:-1} exec $(VENV)/bin/python -m config.run

admin: $(VENV)/installed-run  ## make a first superuser, and print the address of the admin
	@DEBUG=$${DEBUG:-1} $(VENV)/bin/python manage.py migrate --verbosity 0
	@DEBUG=$${DEBUG:-1} $(VENV)/bin/python manage.py first_admin

test: $(VENV)/installed-dev  ## set up and run the tests but for the slow ones (ARGS="-k line" chooses; NO_INSTALL=1: no apt)
	@$(VENV)/bin/python -m tools.run_tests most $(ARGS)

test-fast: $(VENV)/installed-dev  ## the tests without browsers and processes
	@$(VENV)/bin/python -m tools.run_tests fast $(ARGS)

test-slow: $(VENV)/installed-dev  ## the slow tests alone
	@$(VENV)/bin/python -m tools.run_tests slow $(ARGS)

test-pythons: .venv/installed-dev  ## the fast tests on every other promised Python that is on this machine
	@for version in $(PYTHONS); do \
		if [ -e .venv/bin/python$$version ]; then continue; fi; \
		if ! tools/find-python $$version >/dev/null; then echo "Python $$version is not here: left out."; continue; fi; \
		echo "On Python $$version:"; $(MAKE) --no-print-directory test-fast PYTHON=$$version || exit; done

bench: $(VENV)/installed-dev  ## measure it all beside stock RQ, and write docs/benchmarks.md (ARGS=machines: several hosts; ARGS="joining" chooses)
	@$(VENV)/bin/python -m tests.benchmarks $(ARGS)

corpus: $(VENV)/installed-dev  ## both tasks on real files out of packages, and docs/accuracy.md (ARGS=documents: one part)
	@$(VENV)/bin/python -m tests.corpus $(ARGS)

flood: $(VENV)/installed-dev  ## attack a site of `make run`, on loopback alone, while honest visitors come (ARGS=1: one minute)
	@$(VENV)/bin/python -m tests.flood $(ARGS)

soak: $(VENV)/installed-dev  ## visitors and workers under seeded faults, and what must hold afterwards (SECONDS=60, SEED=1)
	@SECONDS="$(SECONDS)" SEED="$(SEED)" $(VENV)/bin/python -m tests.soak

mutants: $(VENV)/installed-dev  ## break one rule at a time in a copy, and show what finds it (SOAK=1 asks the soak, too)
	@SOAK="$(SOAK)" $(VENV)/bin/python -m tests.mutants $(ARGS)

check: .venv/installed-dev .venv/installed-npm  ## lint, types, layers, templates, deployment, migrations, documents
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	$(BIOME) check --error-on-warnings
	$(LUA)
	$(DEVELOPMENT) .venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/djade --target-version 6.1 --check $$(find . -path ./.venv -prune -o -path '*templates*' -name '*.html' -print)
	@echo "manage.py check --deploy" && folder=$$(mktemp -d) && trap 'rm -rf $$folder' EXIT && \
		export $(PRODUCTION) STATIC_ROOT=$$folder/static DATABASE_URL=sqlite:///$$folder/db.sqlite3 && \
		.venv/bin/python manage.py migrate --verbosity 0 && \
		.venv/bin/python manage.py collectstatic --noinput --verbosity 0 && \
		.venv/bin/python manage.py check --deploy --fail-level WARNING
	$(DEVELOPMENT) .venv/bin/python manage.py makemigrations --check --dry-run
	$(DOCS)

docs: .venv/installed-dev  ## build the site of the documents in var/docs, with its links checked
	$(DOCS)

links: .venv/installed-dev  ## the links of the documents that lead to other sites; it needs the internet, so `check` leaves it out
	.venv/bin/sphinx-build --quiet -b linkcheck -c docs/site . var/links

walk: .venv/installed-dev  ## "Without Docker" word for word on a fresh Debian with systemd; needs root, debootstrap, podman
	@.venv/bin/python -m tools.machine_walk

compose-walk: .venv/installed-dev  ## docker-compose.yml run, upgraded and killed on images made here; needs root, podman and more
	@.venv/bin/python -m tools.compose_walk $(ARGS)

audit: .venv/installed-dev .venv/installed-npm  ## the locked packages against known advisories, where a source is reached
	@.venv/bin/python -m tools.audit

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

# Each stamp says: the packages of that file, as it is now, are in this venv.
$(VENVS:%=%/installed-run): %/installed-run: requirements.txt | %/made
	@echo "Installing what the site needs; this happens once."
	@$(PIP) -r requirements.txt
	@touch $@

$(VENVS:%=%/installed-dev): %/installed-dev: requirements-dev.txt | %/made
	@echo "Installing what the tests and checks need; this happens once."
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(@D)/installed-run

.venv/installed-npm: package-lock.json | .venv/installed-dev
	@$(NPM) ci --silent
	@touch $@

$(VENVS:%=%/made): %/made:
	@wanted="$(or $(filter $(PYTHONS),$(notdir $*)),$(PYTHONS))"; python=$$(tools/find-python $$wanted) || { \
		echo "No Python of $$wanted was found with its venv module; install one (on Debian 13: python3 and" \
			"python3-venv; elsewhere pyenv has each version)." >&2; exit 1; }; \
	echo "Making $* with $$("$$python" --version)."; \
	"$$python" -m venv --clear $* && touch $@
