# Each target is something a person could type. `make demo` and `make test` need only Python 3.11 and make.
PYTHON ?= python3
VENV := .venv/bin
# Where it is set, as in many containers, each of the processes that tests and the demo start would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo demo-reset serve test check key bench chaos screenshots lock

install:      ## .venv with the pinned requirements, nothing started
	@$(PYTHON) tools/install.py

demo: install ## everything at once, against a simulated QuickBooks company
	@PORT="$(PORT)" SANDBOX_PORT="$(SANDBOX_PORT)" $(VENV)/python -m tools.demo

demo-reset: install ## forget the demo's data
	@$(VENV)/python -m tools.demo --reset

serve: install ## what a company runs; settings in .env (see .env.example)
	@$(VENV)/python -m tools.serve

test:         ## the whole suite, no server needed
	@$(PYTHON) tools/install.py --dev
	@$(VENV)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check:        ## linters and types
	@$(PYTHON) tools/install.py --dev
	@$(VENV)/ruff check . && $(VENV)/mypy

key: install  ## a new key for TOKEN_ENCRYPTION_KEYS
	@$(VENV)/flask --app wsgi keys generate

bench:        ## speed, memory and remote calls beside the usual way, both directions
	@$(PYTHON) tools/install.py --dev
	@$(VENV)/python -m bench $(ARGS)

chaos:        ## everything goes wrong at once, then the proof that nothing was lost or doubled
	@$(PYTHON) tools/install.py --dev
	@$(VENV)/python -m tools.chaos $(ARGS)

screenshots:  ## the pictures in docs/, taken from a running demo company
	@$(PYTHON) tools/install.py --dev
	@$(VENV)/python -m tools.screenshots

lock:         ## pin what pyproject.toml asks for, with hashes
	@$(VENV)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -o requirements.txt
	@$(VENV)/uv pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements-dev.txt
