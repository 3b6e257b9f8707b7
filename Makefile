# Every target sets itself up: on a fresh machine `make demo` and `make test` are the only two commands needed.
PYTHON ?= python3
BIN := .venv/bin
RECIPE ?= recipes/demo.yaml
OUT ?= runs/demo
PRESET ?= tiny
INPUT := runs/demo-input
OPT_OUT := runs/opt-out-demo
REPOSITORIES ?= runs/pii-repositories

.DEFAULT_GOAL := help
.PHONY: help setup check format test demo opt-out-demo run report train bench pii-model pii-eval docs lock clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16
	@echo "  Variables: RECIPE=$(RECIPE) OUT=$(OUT) PRESET=$(PRESET)"

setup: .venv/.installed  ## make .venv with the locked versions of everything

.venv/.installed: requirements.lock pyproject.toml
	@echo "installing into .venv (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Quarry needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

check: setup  ## ruff, mypy --strict, import arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_docs.py -k arrows

format: setup  ## let ruff format and sort
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: setup  ## all tests
	$(BIN)/python -m pytest

demo: setup  ## local git repositories to tokenized shards, a report and a trained checkpoint, in minutes, offline
	@$(BIN)/python -m recipes.demo_repositories $(INPUT)
	@$(BIN)/quarry run recipes/demo.yaml --out runs/demo
	@$(BIN)/quarry report runs/demo
	@$(BIN)/quarry train runs/demo --preset tiny
	@$(BIN)/python -m cli.tour runs/demo

opt-out-demo: setup  ## from a filed opt-out request to a verified certificate, in a minute, offline
	@$(BIN)/python -m recipes.opt_out_demo $(OPT_OUT)
	@$(BIN)/quarry opt-out import $(OPT_OUT)/issues-before.json --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry opt-out key make $(OPT_OUT)/operator.key $(OPT_OUT)/operator.pub --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry run recipes/opt-out-demo.yaml --out $(OPT_OUT)/run
	@$(BIN)/quarry opt-out import $(OPT_OUT)/issues-after.json --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry opt-out list --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry opt-out apply $(OPT_OUT)/run --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry opt-out certify R000002 $(OPT_OUT)/run --ledger $(OPT_OUT)/ledger.sqlite \
		--key $(OPT_OUT)/operator.key --out $(OPT_OUT)/certificate
	@$(BIN)/quarry opt-out certify --check $(OPT_OUT)/certificate/R000002.json $(OPT_OUT)/run --public $(OPT_OUT)/operator.pub
	@$(BIN)/quarry opt-out sign --key $(OPT_OUT)/operator.key --ledger $(OPT_OUT)/ledger.sqlite
	@$(BIN)/quarry opt-out verify --ledger $(OPT_OUT)/ledger.sqlite --public $(OPT_OUT)/operator.pub
	@$(BIN)/quarry opt-out numbers --ledger $(OPT_OUT)/ledger.sqlite > $(OPT_OUT)/numbers.json
	@$(BIN)/quarry report $(OPT_OUT)/run
	@echo "look at: $(OPT_OUT)/certificate/R000002.html  $(OPT_OUT)/run/report/index.html  $(OPT_OUT)/numbers.json"

run: setup  ## execute RECIPE into OUT
	$(BIN)/quarry run $(RECIPE) --out $(OUT)

report: setup  ## write OUT/report/index.html
	$(BIN)/quarry report $(OUT)

train: setup  ## train PRESET on OUT/dataset
	$(BIN)/quarry train $(OUT) --preset $(PRESET)

bench: setup  ## measure the stages on the demo's repositories, see benchmarks/RESULTS.md
	@$(BIN)/python -m recipes.demo_repositories $(INPUT)
	$(BIN)/python -m benchmarks.stages $(INPUT)/repositories.txt

pii-model: setup  ## train the bundled NER model again, on a GPU where there is one
	$(BIN)/python -m pii.ner.train --out pii/ner/bundled

pii-eval: setup  ## score redaction on the labelled sets; REPOSITORIES=DIR where the real code is, or is cloned to
	$(BIN)/python -m pii.evaluate --repositories $(REPOSITORIES) --clone --write

docs: setup  ## make the pages of docs/ that are made from the code
	$(BIN)/python -m reports.reference docs

lock: setup  ## write requirements.lock from what is installed
	@{ echo "# What 'make setup' installs: every distribution at the version Quarry was tested with (Python 3.11, Linux)."; \
	   echo "# Made by 'make lock' from pyproject.toml."; \
	   $(BIN)/python -m pip freeze --all --exclude-editable --disable-pip-version-check | grep -v '^pip==' | sed 's/+cpu//'; } > requirements.lock.new
	@mv requirements.lock.new requirements.lock

clean:  ## remove the demo's run and input; .venv stays
	rm -rf runs/demo runs/demo-input
