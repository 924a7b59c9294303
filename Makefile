PYTHON ?= python3
BIN := .venv/bin
INCIDENTS := scenarios/incident-60s scenarios/incident-120s scenarios/incident-120s/startup.yaml \
	scenarios/incident-179s

.PHONY: replay test test-slow lint dependencies benchmark clean

replay: .venv/installed ## the incidents, before and after
	@$(BIN)/cascadesim replay $(INCIDENTS) --variants before,after,recommended

test: .venv/installed ## the suite but for what takes long, on every core
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "not slow"

test-slow: .venv/installed ## what takes long: formulas, notebooks, and more examples of the laws
	EXAMPLES=5 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "slow or laws"

.venv/installed: pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --editable '.[test]'
	touch $@

lint: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict cascadesim

dependencies: .venv/installed ## their licences, none of them copyleft by GPL, and known advisories
	$(BIN)/pip-licenses --partial-match --fail-on GPL
	$(BIN)/python .ci/audit.py

benchmark: .venv/installed ## speed and memory, as ratios
	$(BIN)/python tests/benchmarks/engine.py
	$(BIN)/python tests/benchmarks/replications.py

clean:
	rm -rf .venv
