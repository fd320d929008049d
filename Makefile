# Two commands do everything on a fresh Debian or Ubuntu machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A worker that dies ends the run: with another in its place, pytest-xdist may wait for ever.
PYTEST := $(BIN)/pytest -n auto --dist loadfile --max-worker-restart 0
EXTRAS := cpu,openvino,export,train,bench,dist,test
ifeq ($(shell uname -sm),Linux x86_64)
EXTRAS := $(EXTRAS),tensorrt-rtx
endif
SOURCES := $(shell git ls-files '*.py' '*.pyi' '*.cpp' '*.h' '*.cu' '*.cuh' '*.toml' 'ainet/weights' CMakeLists.txt 2>/dev/null)
# Where pip takes packages from, for instance the PyTorch index of CPU builds: make demo PIP_ARGS="--extra-index-url ..."
PIP_ARGS ?=
# Which Pythons to make wheels with: make dist PYTHONS="python3.11 python3.12"
PYTHONS ?= $(BIN)/python

# The model of the page in the browser: ainet-lite, ainet, scn, or an exported ONNX file
PAGE_MODEL ?= ainet-lite

.PHONY: help demo test test-quick web page dist gpu-check lint docs-check install prerequisites clean

help:
	@echo "make demo   install, export the bundled weights, segment three photos into demo-output/, check against PyTorch"
	@echo "make test   install, lint, type-check, run all tests"
	@echo "make test-quick   install, and run the tests that take no time: a developer's loop"
	@echo "make web    the page in the browser, built and served on this machine; see docs/browser.md"
	@echo "make fuzz   damaged files of every kind, 100,000 in all, and a table of what became of them; see docs/robustness.md"
	@echo "make dist   sdist and manylinux wheels into dist/, each run in an empty environment; see docs/wheels.md"
	@echo "make gpu-check   on a machine with an NVIDIA GPU: everything that needs one, in nine minutes; see docs/gpu-check.md"
	@echo "make clean  remove what these made"

demo: $(VENV)/installed
	@$(BIN)/python examples/demo.py --out demo-output

test: lint
	$(PYTEST)

test-quick: $(VENV)/installed
	$(PYTEST) -m "not slow"

# The page alone, as static files in build/web
page: $(VENV)/installed
	$(BIN)/python web/build.py build/web --model $(PAGE_MODEL)

web: page
	$(BIN)/python web/serve.py build/web

# Each file is made of its kind and number: make fuzz ARGS="--target recipes --first 100000 --inputs 5000 --jobs 4" for others.
fuzz: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python -P -m fuzz.run --json build/fuzz.json $(ARGS)

dist: $(VENV)/requirements
	$(BIN)/python tools/dist.py --out dist $(PYTHONS)

# Serving needs numpy 1, and so an environment of its own; with it, make test also runs NVIDIA's server.
.venv-serve: | $(VENV)/requirements
	$(PYTHON) -m venv $@
	grep -vE '^(numpy|opencv)' constraints.txt > $@/constraints.txt
	$@/bin/pip install --disable-pip-version-check --quiet -c $@/constraints.txt $(PIP_ARGS) '.[serve,cpu]' || (rm -rf $@; exit 1)

# napari brings Qt and much else, and so has an environment of its own; with it, make test also opens napari's window.
.venv-napari: | $(VENV)/requirements
	$(PYTHON) -m venv $@
	$@/bin/pip install --disable-pip-version-check --quiet -c constraints.txt $(PIP_ARGS) '.[napari,cpu]' || (rm -rf $@; exit 1)

# With the package in $(VENV) where there is one, else built for PYTHON and the packages that it has: such a machine may have no network.
gpu-check:
	@$(if $(wildcard $(BIN)/ainet),$(BIN)/python tools/gpu_check.py,$(PYTHON) tools/gpu_check.py --install) $(ARGS)

docs-check: $(VENV)/installed
	$(BIN)/python tools/docs_figures.py --check

# mypy looks at the installed package, where the folders have become ainet.*; from here it would find ./ainet alone.
lint: $(VENV)/installed docs-check
	$(BIN)/python tools/import_graph.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd $(VENV) && bin/mypy --config-file ../pyproject.toml -p ainet

install: $(VENV)/installed

$(VENV)/installed: $(VENV)/requirements $(SOURCES)
	@echo "== building and installing the package"
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@touch $@

$(VENV)/requirements: pyproject.toml constraints.txt | prerequisites
	@echo "== making the virtual environment $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "== installing the requirements at the tested versions (about 1.5 GB, some minutes)"
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -c constraints.txt $(PIP_ARGS) scikit-build-core nanobind cmake ninja
	$(BIN)/python tools/requirements.py $(EXTRAS) > $(VENV)/requirements.txt
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -c constraints.txt $(PIP_ARGS) -r $(VENV)/requirements.txt
	@touch $@

prerequisites:
	@tools/check_prerequisites $(PYTHON)

clean:
	rm -rf $(VENV) .venv-serve .venv-napari build dist demo-output gpu-check .mypy_cache .pytest_cache .ruff_cache .hypothesis
