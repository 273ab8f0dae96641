# Each target sets up what it needs. A second run finds that done, and needs no network.
.DEFAULT_GOAL := help
.PHONY: help setup runtime wheel up check format lint types contracts test lint-deploy manifests faults reliability fuzz soak bench image sbom audit

PYTHON := .venv/bin/python
# If the environment forbids bytecode, each process of pytest compiles every test again: half of its start.
export PYTHONDONTWRITEBYTECODE :=
ARGS ?=

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

setup: ## download and install what is missing to run, check and test tallymill; makes .venv/bin/tallymill
	@bash ops/bootstrap.sh dev

# A fifth of the size. What checks and tests tallymill is added by the targets that need it.
runtime:
	@bash ops/bootstrap.sh runtime

wheel: setup ## build dist/tallymill-VERSION-py3-none-any.whl
	@$(PYTHON) -m hatchling build -t wheel

up: runtime ## the whole system in the foreground (ARGS="--workers 4 ...")
	@exec .venv/bin/tallymill up $(ARGS)

# The four checks run in parallel, and each prints all its findings at once. The tests follow.
# Without faulthandler_timeout each of the five thousand tests takes half a millisecond less. `timeout` still ends a hang.
check: setup ## format, lint, types, import contracts, fast tests with a fifth of the drawn examples
	@$(MAKE) --no-print-directory --keep-going --jobs=4 --output-sync=target format lint types contracts
	EXAMPLES_ONE_IN=5 $(PYTHON) -m pytest -q -n 3 --dist worksteal -o faulthandler_timeout=0 -m "not real and not slow" $(ARGS)

format:
	.venv/bin/ruff format --check --quiet .

lint:
	.venv/bin/ruff check --quiet .

types:
	.venv/bin/mypy

contracts:
	.venv/bin/lint-imports

# Three at a time on two cores: a test on real servers waits for them, or for a time-out, more than half of its time.
test: setup ## every test, on real Kafka and MongoDB and in Chromium; coverage of schemas and consumer/core must be 100 %
	$(PYTHON) -m tests.clients.programs
	$(PYTHON) -m ops.local.servers.prometheus
	$(PYTHON) -m tests.deploy.chart.tools
	$(PYTHON) -m tests.deploy.image.buildah
	$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=40 --cov --cov-report=term-missing:skip-covered $(ARGS)

lint-deploy: setup ## chart, manifests, image and compose file: helm, kubeconform, kube-score, hadolint, Compose (part of `make test`)
	$(PYTHON) -m tests.deploy.chart.tools
	$(PYTHON) -m pytest -q -m "not real" tests/deploy/chart $(ARGS)

manifests: setup ## renders deploy/kubernetes from deploy/chart
	$(PYTHON) -m tests.deploy.chart.render

faults: setup ## a hundred seeded schedules (SCHEDULES=, FIRST=; ten are in `make test`), then every fault of the whole cluster
	FAULT_SCHEDULES=$(or $(SCHEDULES),100) FAULT_FIRST=$(or $(FIRST),0) $(PYTHON) -m pytest -q -m "" --ignore=tests/faults/cluster tests/faults $(ARGS)
	$(PYTHON) -m pytest -q -m faults --ignore=tests/faults tests $(ARGS)
	@$(MAKE) --no-print-directory reliability

reliability: setup ## every fault of the whole cluster, half an hour, written to docs/reliability.md (FAULT=words of a test's name)
	RELIABILITY_TABLE=$(or $(TABLE),now) $(PYTHON) -m pytest -q -m "" -o faulthandler_timeout=0 tests/faults/cluster $(if $(FAULT),-k "$(FAULT)") $(ARGS)

fuzz: setup ## hostile requests, by schemathesis against the OpenAPI document and by hypothesis (EXAMPLES= a route, SEED=)
	FUZZ_EXAMPLES=$(or $(EXAMPLES),500) FUZZ_SEED=$(or $(SEED),1) $(PYTHON) -m pytest -q tests/ingress/test_conformance.py tests/ingress/hostile/test_requests.py tests/console/test_console_conformance.py $(ARGS)

soak: setup ## ten minutes of hostile clients and producers beside honest load (SECONDS=, SEED=, KINDS=); one in `make test`, with the same kinds
	SOAK_STRICT=1 SOAK_SECONDS=$(or $(SECONDS),600) SOAK_SEED=$(or $(SEED),1) SOAK_KINDS=$(KINDS) $(PYTHON) -m pytest -q -o faulthandler_timeout=0 tests/soak/test_soak.py $(ARGS)

bench: setup ## every benchmark on real servers, within twenty minutes, written to bench/RESULTS.md (ARGS="drain visible")
	$(PYTHON) -m bench.all $(ARGS)

image: ## build the container image with docker, podman or buildah (IMAGE=, PLATFORMS=, PYTHON_IMAGE=)
	@IMAGE="$(IMAGE)" PLATFORMS="$(PLATFORMS)" PYTHON_IMAGE="$(PYTHON_IMAGE)" bash deploy/image/build.sh

sbom: setup ## what the image's packages are, as CycloneDX (FILE=dist/tallymill.cdx.json)
	@bash deploy/image/supply.sh sbom $(or $(FILE),dist/tallymill.cdx.json)

audit: setup ## known vulnerabilities of the image's packages; status 3 if the database can't be reached
	@bash deploy/image/supply.sh audit
