# Two commands for a fresh machine: `make demo` and `make test`. Each makes its own environment.
PYTHON ?= python3
DEMO = .venv
TEST = .venv-test
PIP = -m pip --disable-pip-version-check install --quiet

.PHONY: demo test benchmark clean

demo: $(DEMO)/installed
	$(DEMO)/bin/microau-stream samples/astronaut.mp4 --out demo-out

$(DEMO)/installed: pyproject.toml
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) .
	touch $@

test: $(TEST)/installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	rm -rf build && $(TEST)/bin/python $(PIP) --no-deps --force-reinstall . && rm -rf build
	cd $(TEST) && bin/mypy --config-file ../pyproject.toml -p microau
	$(TEST)/bin/python $(PIP) --no-deps -e .
	$(TEST)/bin/pytest

# The quality table from scratch, about half an hour: make benchmark MEDIA=folder of photographs, 3D face, clips
benchmark: $(TEST)/installed
	$(TEST)/bin/python $(PIP) --no-deps -e .
	$(TEST)/bin/python benchmarks/quality.py --media "$(MEDIA)" --work runs/quality

$(TEST)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP) -c constraints.txt -e ".[train,export,dev,tensorrt-rtx]"
	touch $@

clean:
	rm -rf $(DEMO) $(TEST) build demo-out *.egg-info
