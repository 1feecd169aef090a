# README's two commands are `make demo` and `make test`. Both set up what they need first (tools/setup/setup.sh).
.DEFAULT_GOAL := help
.PHONY: help demo test boards docs audit lock pictures random-networks flood load load-secure aggregators privacy test-long test-seeds test-keras test-ray test-litert test-wheel test-paths lint format reproduce bench fuzz-node line-noise reptile-search bench-flower online accuracy model-figures test-model-figures firmware setup-demo setup-test setup-lint setup-docs clean test-network test-kills test-signed test-raspberry test-container test-systemd test-wot

BIN := .venv/bin
# Tests run in so many processes, a file at a time in each, the longest first (tests/schedule.py). Three keep two cores
# busy: tests of boards and brokers wait much of their time.
TEST_PROCESSES ?= 3

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup-lint:
	@tools/setup/setup.sh lint

setup-docs:
	@tools/setup/setup.sh docs

setup-demo:
	@tools/setup/setup.sh demo

setup-test:
	@tools/setup/setup.sh test

demo: setup-demo ## Emulated boards learn to learn over a real broker (under 5 minutes)
	@$(BIN)/jaragua demo

# tflite-runtime has an environment of its own (Python 3.11, NumPy 1); where it cannot be had, its tests are skipped.
test: setup-test ## All tests that must hold, with the emulated board and the real broker in them
	@tools/setup/setup.sh tflite || true
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-long: setup-test ## What `make test` leaves out: all pairs of parameters that it tests in part, and the bench's rows in full length
	@JARAGUA_TEST_LONG=1 $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-seeds: setup-test ## The tests that draw at random, COUNT (20) times each; a failed one is named with its seed, JARAGUA_TEST_SEED repeats all
	@JARAGUA_TEST_SEEDS=$(or $(COUNT),20) $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES)

test-keras: ## The Keras front end against real Keras on TensorFlow (600 MB, in an environment of its own)
	@tools/setup/setup.sh keras
	@.venv-keras/bin/python -m pytest tests/compiler -k keras -W ignore::DeprecationWarning

test-litert: setup-test ## The Pi client's LiteRT engine on both runtimes, without TensorFlow and without a compiler
	@tools/setup/setup.sh litert
	@tools/setup/setup.sh tflite
	@JARAGUA_LITERT_BOTH=1 $(BIN)/python -m pytest tests/client -k litert

test-raspberry: setup-test ## A Raspberry Pi's page in Debian 12 and 13 for arm64 under emulation, then a fleet with it (as root); SYSTEMS="bookworm-armhf" for 32 bits
	@tools/setup/setup.sh raspberry
	@tools/setup/raspberry.sh $(SYSTEMS)

test-container: setup-test ## Build the Containerfile with Podman on a base made here, and run the commands of its page (as root)
	@tools/setup/setup.sh container
	@tools/setup/container.sh

test-systemd: setup-test ## The services under a systemd that runs, in a container of this system with a layer over it (as root)
	@tools/setup/setup.sh systemd
	@tools/setup/systemd.sh

lint: setup-lint ## ruff, mypy --strict, who may import whom (import-linter), what is declared (deptry) and locked, licences, rules without a test, Containerfile (hadolint), clang-format, cppcheck
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry host tools/jaragua_compiler tools/jaragua_bench models broker
	@$(BIN)/python -m jaragua_documents.rules
	@$(BIN)/python tools/setup/lock.py --check
	@$(BIN)/python tools/setup/licences.py
	@$(BIN)/hadolint Containerfile
	@git ls-files '*.c' '*.h' '*.cpp' | xargs $(BIN)/clang-format --dry-run --Werror
	@tools/setup/cppcheck.sh $(BIN)/cppcheck

docs: setup-docs ## Build the documentation as a site (site/index.html); strict, offline
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

audit: setup-test ## A bill of materials (build/sbom.json), and known vulnerabilities where the network allows
	@tools/setup/setup.sh audit
	@.venv-audit/bin/python tools/setup/audit.py .venv build

lock: ## The exact versions that CI installs (tools/setup/lock/); UPGRADE=1 takes the newest that the ranges admit
	@tools/setup/setup.sh audit
	@.venv-audit/bin/python tools/setup/lock.py $(if $(UPGRADE),--upgrade)

pictures: setup-test ## The pictures of dashboard, report and terminal in these documents, of real fleets (about three minutes)
	@PYTHONPATH=tests $(BIN)/python tests/dashboard/pictures.py
	@$(BIN)/python -m jaragua_documents.terminal_picture

format: setup-lint ## Let ruff format the Python code, clang-format the C
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@git ls-files '*.c' '*.h' '*.cpp' | xargs $(BIN)/clang-format -i

reproduce: setup-test ## Simulate all tasks and strategies and write docs/results/results.md; goes on where it was stopped
	@$(BIN)/jaragua reproduce --document docs/results/results.md

bench: setup-demo ## Instructions per training step on the emulated Cortex-M4, with the float32 baseline
	@$(BIN)/jaragua bench

line-noise: setup-demo ## Throughput of the serial link against the error rate of its line: the table of docs/reference/protocol.md
	@$(BIN)/python -m jaragua.wire.link.noise

fuzz-node: setup-test ## libFuzzer on the board's node with a generated model (MODEL, SECONDS); needs clang
	@tools/setup/setup.sh clang || true
	@PYTHONPATH=tests $(BIN)/python tests/firmware/fuzz_node.py --model $(or $(MODEL),digits) --seconds $(or $(SECONDS),300)

reptile-search: setup-demo ## TinyReptile against batch Reptile at equal accuracy: the tables of docs/results/benchmarks.md; goes on where it was stopped
	@$(BIN)/python -m jaragua.experiments.reptile_search --write

random-networks: setup-test ## COUNT random networks (200): reference = native = Cortex-M4 = Cortex-M0; SEED repeats a run
	@$(BIN)/python tests/compiler/differential.py --count $(or $(COUNT),200) $(if $(SEED),--seed $(SEED))

flood: setup-test ## RATE messages a second (10000) for SECONDS (60) at a coordinator and its nodes, ON=strangers|others|both|admitted|all
	@PYTHONPATH=tests $(BIN)/python tests/coordinator/flood.py --rate $(or $(RATE),10000) --seconds $(or $(SECONDS),60) --on $(or $(ON),all)

test-kills: setup-test ## Everything killed at every numbered point of a run, and 100 times at random, on SQLite and PostgreSQL
	@JARAGUA_TEST_KILLS=1 $(BIN)/python -m pytest tests/coordinator/kills

test-signed: setup-test ## Boards whose image verifies the coordinator's signatures, behind a gateway: native, emulated Cortex-M4, M0 and RISC-V
	@$(BIN)/python -m pytest tests/gateway/whole_signed_boards.py

test-network: setup-test ## Loss, delay and partitions of 40 s between coordinator, broker and nodes (Linux, root)
	@JARAGUA_TEST_NETWORK=1 $(BIN)/python -m pytest tests/network

load: setup-test ## Updates a second that a coordinator commits beside what mosquitto carries: NODES (5000) devices, ROUNDS (3), AGGREGATORS="0 1 2 3"
	@$(BIN)/python -m jaragua.experiments.load --nodes $(or $(NODES),5000) --rounds $(or $(ROUNDS),3) --aggregators $(or $(AGGREGATORS),0)

load-secure: setup-test ## The same run of DEVICES (5000) in clear, with secure sums in groups of GROUP (30), and with 10 % gone: about ten minutes
	@$(BIN)/python -m jaragua.experiments.load.secure --devices $(or $(DEVICES),5000) --group $(or $(GROUP),30)

aggregators: setup-test ## Kill aggregators and their coordinator at random moments: KILLS (30) in ROUNDS (100), SEED=n
	@JARAGUA_AGGREGATOR_ROUNDS=$(or $(ROUNDS),100) JARAGUA_AGGREGATOR_KILLS=$(or $(KILLS),30) $(BIN)/python -m pytest tests/coordinator/with_aggregators -s $(if $(SEED),--seed $(SEED))

privacy: setup-test ## What private updates cost: bytes and time of a secure sum, and the score against ε (docs/results/privacy.md)
	@$(BIN)/python -m jaragua.experiments.privacy --cost
	@$(BIN)/python -m jaragua.experiments.privacy

accuracy: setup-test ## What int16 and int8 weights cost in accuracy: the table of docs/results/accuracy.md (about 6 minutes)
	@$(BIN)/python -m jaragua_bench.accuracy

model-figures: setup-test ## Count training steps of every build of the zoo on the emulated cores: figures.json of the models' descriptions
	@$(BIN)/python -m jaragua.semantics.models.measure

test-model-figures: setup-test ## Link and count every build of the zoo again, and compare with its description (about 10 minutes)
	@$(BIN)/python -m jaragua.semantics.models.measure --check

.PHONY: comparison
comparison: setup-test ## Whether recommended settings are near tuned ones and reach simple methods: the table of docs/results/tasks.md; TASKS="digits:1 watch.toml:5" (then runs/recommended/page.md), MINUTES (5) of each search, OWN=folder and WATCH=file for tasks of one's own
	@nice -n 10 $(BIN)/python -m jaragua.tuning.recommended $(TASKS) --minutes $(or $(MINUTES),5) $(if $(OWN),--own $(OWN)) $(if $(WATCH),--watch $(WATCH)) --document $(if $(TASKS),runs/recommended/page.md,docs/results/tasks.md)

online: setup-test ## What learning after deployment forgets and notices, and its cost: figures of docs/reference/online.md (about 10 minutes)
	@for task in digits keywords-mel; do $(BIN)/python -m jaragua.experiments.online.measure --task $$task && $(BIN)/python -m jaragua.experiments.online.cost --task $$task || exit 1; done

bench-flower: ## Simulated client tasks per second, beside Flower's simulation (in an environment of its own)
	@tools/setup/setup.sh flower
	@.venv-flower/bin/python tools/benchmarks/flower_sine.py

test-ray: ## Simulations on Ray's workers (in the same environment)
	@tools/setup/setup.sh flower
	@.venv-flower/bin/python -m pytest tests/simulation/clients/test_ray.py -W ignore

test-wheel: setup-test ## The built wheel in an empty environment: from a table to an emulated board, the demonstration, the tutorials
	@PYTHONPATH=tests $(BIN)/python tests/wheel/whole_wheel.py

test-paths: ## Set-up, firmware and demo in a fresh clone in a folder named "a b ü" (build/a b ü)
	@rm -rf "build/a b ü" && mkdir -p build && git clone --quiet . "build/a b ü"
	@$(MAKE) --no-print-directory -C "build/a b ü" demo

boards: setup-test ## Build every board that needs no vendor framework; train on every emulated one, and a mixed fleet
	@tools/setup/setup.sh boards
	@JARAGUA_ALL_BOARDS=1 $(BIN)/python -m pytest tests/boards tests/firmware/test_keep_drivers.py tests/flash tests/deploy

test-wot: setup-test ## node-wot, given Thing Descriptions alone, on a live fleet of emulated boards; the playground's validator
	@tools/setup/setup.sh wot
	@JARAGUA_WOT=1 $(BIN)/python -m pytest tests/things

firmware: setup-demo ## Build the images (emulated Cortex-M4 and host process)
	@$(BIN)/pio run -e qemu_m4 -e native

clean: ## Remove what was built; .venv stays
	@rm -rf .pio build site .pytest_cache .mypy_cache .ruff_cache .hypothesis
