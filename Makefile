# Every target starts from nothing: Python 3.11 or newer, git and make are all it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo tiny ablation test test-gpu check fmt proof faults bench clean

demo: $(VENV)/.demo  ## Build the demo data set from real medical images and pack it.
	$(BIN)/python examples/demo/build.py demo/data --benchmarks demo/benchmarks \
		--tokenizer demo/tokenizer.json --small-tokenizer demo/small-tokenizer.json
	$(BIN)/packkit pack demo/data --out demo/packs --tokenizer demo/tokenizer.json --overwrite
	@echo "packs: demo/packs    look inside: $(BIN)/packkit stats demo/packs"

tiny: demo $(VENV)/.dev  ## Train a tiny model on captions of the demo, from nothing, on a CPU.
	$(BIN)/packkit pack demo/data/webdataset --out demo/captions --max-len 1024 \
		--tokenizer demo/small-tokenizer.json --overwrite
	$(BIN)/packkit train recipes/tiny.toml
	$(BIN)/packkit generate runs/tiny --image demo/data/vqa/images/op-retina.jpg

ablation: demo $(VENV)/.dev  ## Train tiny models by the stages of finetuning, and compare them.
	$(BIN)/python examples/ablation/ablation.py demo/ablation

test: check  ## Lint, types and all tests.
	$(BIN)/pytest -q -n 2 --dist worksteal

test-gpu: $(VENV)/.dev  ## The kernels on a GPU; skipped, with the reason, where there is none.
	TRITON_INTERPRET=0 CUBLAS_WORKSPACE_CONFIG=:4096:8 $(BIN)/pytest -q -rs tests/varlen

proof: $(VENV)/.dev  ## Longer proofs: the whole matrix of ranks, threads, workers and stops.
	$(BIN)/pytest -q -m proof tests

faults: $(VENV)/.dev  ## Kills, full disks, flips and broken inputs by the thousand; build/faults.jsonl.
	rm -f build/faults.jsonl
	$(BIN)/pytest -q -m faults -n 2 --dist worksteal tests/faults; code=$$?; \
		$(BIN)/python tests/faults/figures.py build/faults.jsonl; exit $$code

check: $(VENV)/.dev  ## Lint and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fmt: $(VENV)/.dev  ## Format and mend what can be mended.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev  ## The measured figures of bench/README.md.
	$(BIN)/pytest bench/test_planning_speed.py --benchmark-only -q

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.packkit: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

$(VENV)/.demo: $(VENV)/.packkit examples/demo/requirements.txt
	$(PIP) --no-deps --requirement examples/demo/requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) --editable '.[dev]'
	touch $@
