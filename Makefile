# Everything from a clean checkout on Debian 12 or later, Raspberry Pi OS included: set-up is part of each target.
#   make demo ARGS="--speed 30"     arguments for the command behind a target
#   make test PYTHON=python3.13     another interpreter (remove the virtual environments first: make clean)
PYTHON ?= python3
ARGS ?=

DEMO := .venv
DEV := .venv-dev
PROFILES := .venv-profiles

# Debian keeps mosquitto in /usr/sbin, which is not on every user's path.
export PATH := $(PATH):/usr/sbin:/sbin
# Someone else's environment must not leak into ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# What the backend's tests and its load run.
BROKERS := command -v mosquitto && ls /usr/lib/postgresql/*/bin/initdb /usr/lib/rabbitmq/bin/rabbitmq-server
BROKER_PACKAGES := mosquitto postgresql rabbitmq-server

# Tests run two at a time. Threads of both for the same cores would wait for each other.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help demo test test-arm test-vm bench bench-peers bench-backend reliability network bundles \
	fuzz-profiles fuzz-inbound compare-profiles lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO)/installed ## the whole way from a virtual strap to a summary at a broker
	$(DEMO)/bin/edge-agent demo $(ARGS)

test: lint ## lint, types and every test but the emulated devices (make test-arm, test-vm)
	$(call packages,$(BROKERS) && command -v mosquitto_sub && command -v dbus-daemon && command -v strace,\
		$(BROKER_PACKAGES) mosquitto-clients dbus-daemon strace)
	$(ONE_THREAD) $(DEV)/bin/python -m pytest -n 2 --dist loadfile -m "not arm and not vm" $(ARGS)

test-arm: $(DEV)/installed ## the built wheel on emulated arm64 devices (root)
	$(call packages,command -v mmdebstrap && command -v qemu-aarch64-static,mmdebstrap qemu-user-static)
	$(DEV)/bin/python -m pytest -m arm -rP tests/arm $(ARGS)

test-vm: $(DEV)/installed ## the built wheel on a real kernel and bluetoothd in a virtual machine (root)
	$(call packages,command -v qemu-system-x86_64 && command -v mmdebstrap && command -v depmod && command -v cpio,\
		qemu-system-x86 mmdebstrap kmod cpio)
	$(DEV)/bin/python -m tests.vm.image
	$(DEV)/bin/python -m pytest -m vm tests/vm $(ARGS)

bench: $(DEV)/installed ## what a second of replay costs here
	OPENBLAS_NUM_THREADS=1 $(DEV)/bin/python -m tests.benchmark

reliability: $(DEV)/installed ## a simulated day, twelve sensors, and every fault: writes docs/reliability.md
	$(call packages,command -v dbus-daemon,dbus-daemon)
	OPENBLAS_NUM_THREADS=1 $(DEV)/bin/python -m tests.reliability $(ARGS)

network: $(DEV)/installed ## every way a broker or the way to it fails: writes docs/network.md (root)
	$(call packages,command -v mosquitto && command -v iptables,mosquitto iptables)
	$(DEV)/bin/python -m tests.network

fuzz-profiles: $(PROFILES)/installed ## coverage-guided fuzzing of what reads bytes from the air
	$(PROFILES)/bin/python -m tests.fuzz profiles $(ARGS)

fuzz-inbound: $(PROFILES)/installed ## coverage-guided fuzzing of what reads bytes from a broker
	$(PROFILES)/bin/python -m tests.fuzz inbound $(ARGS)

compare-profiles: $(PROFILES)/installed ## the same bytes read by other people's parsers
	$(PROFILES)/bin/python -m tests.compare_profiles

bench-peers: $(DEV)/installed ## the same models run in other ways; writes docs/models/peers.md
	$(DEV)/bin/python -m tests.peers

bench-backend: $(DEV)/installed ## 2,000 simulated devices against brokers and PostgreSQL; writes docs/backend-load.md
	$(call packages,$(BROKERS),$(BROKER_PACKAGES))
	$(DEV)/bin/python -m tests.load $(ARGS)

bundles: $(DEV)/installed ## the shipped bundles from models/, and docs/models/conversion.md; wants HEARTLINE_DATA
	$(DEV)/bin/edge-convert all models --data $${HEARTLINE_DATA:-../shared/data} --out edge_agent/models \
		--page docs/models/conversion.md

lint: $(DEV)/installed ## style, format and types
	$(DEV)/bin/ruff check
	$(DEV)/bin/ruff format --check
	$(DEV)/bin/mypy

clean: ## remove the virtual environments, caches and emulated devices
	rm -rf --one-file-system $(DEMO) $(DEV) $(PROFILES) .arm .vm .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# Two environments, since the demo needs no tensorflow. Each is made again when what it installs changes. Python compiles
# what is imported when it is: compiling all of it here takes longer than the rest of the installation.
$(DEMO)/installed: EXTRAS := demo
$(DEV)/installed: EXTRAS := dev
$(PROFILES)/installed: EXTRAS := profiles
$(DEMO)/installed $(DEV)/installed $(PROFILES)/installed: pyproject.toml
	$(call packages,$(PYTHON) -c 'import ensurepip',python3-venv)
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[$(EXTRAS)]'
	@touch $@

# $(call packages,CHECK,PACKAGES): where the shell command CHECK fails, install the Debian packages, or name the command
# that does when root's rights are out of reach. Programs are wanted, not services: a policy that is there for the time of
# the installation keeps Debian from starting what it installs.
POLICY := /usr/sbin/policy-rc.d
define packages
@{ $(1); } >/dev/null 2>&1 || { \
	install="apt-get install --yes --no-install-recommends $(strip $(2))"; \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo="sudo --non-interactive"; fi; \
	echo "installing: $(strip $(2))"; \
	$$sudo sh -c "test -e $(POLICY) || { \
			trap 'rm -f $(POLICY)' EXIT; printf '#!/bin/sh\\nexit 101\\n' >$(POLICY); chmod 755 $(POLICY); }; \
		apt-get update --quiet --quiet; DEBIAN_FRONTEND=noninteractive $$install --quiet --quiet" \
		</dev/null && { $(1); } >/dev/null || { \
		echo "make $(MAKECMDGOALS) needs packages that could not be installed. Run this, then try again:" >&2; \
		echo "    sudo apt-get update && sudo $$install" >&2; exit 1; }; }
endef
