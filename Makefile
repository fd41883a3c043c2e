PYTHON ?= python3
BIN = .venv/bin
PORT ?= 8501
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: run demo test check lint types bench clean

run: demo ## the dashboard, on the built-in phantoms until real data are prepared
	$(BIN)/streamlit run app.py --server.port $(PORT)

demo: .venv/runtime ## draw the phantoms and store what the first screen shows
	$(BIN)/python -m core demo

test: .venv/checks lint types ## lint, types and every test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --durations 40

check: test ## the same as test

lint: .venv/checks ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/checks ## static types
	$(BIN)/mypy

bench: .venv/checks ## ratios, measured in one run
	$(BIN)/python -m tests.bench

.venv/runtime: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/checks: requirements-dev.txt requirements-dask.txt .venv/runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean: ## forget stored predictions and heatmaps; runs and prepared data stay
	rm -rf artifacts/cache
