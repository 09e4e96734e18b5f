# A thin top: the build itself is meson.build; each command below is one line of it or of tools/.
#   make up | down       try it: install packages, build, start, show the life of a key and a home | stop
#   make test            build the release and run every test
#   make check           what a developer's change must pass (needs tools/setup --dev)
BUILD ?= build
PYTEST = PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m pytest -p no:cacheprovider
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 600
LIES_SECONDS ?= 3600

all: build

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make build | sbom | bench | soak | fuzz | format | clean"

setup:
	@tools/setup

# The programs alone: tests are built by `make test`.
PROGRAMS = $(foreach p,keywright keywrightd keywright-keeper keywright-agent,src/cmd/$(p)/$(p))
# The broker's plugin, hub and cloud too, where their headers are.
HOME_PROGRAMS = plugins/mosquitto/mosquitto_keywright.so examples/home/home-hub examples/home/home-cloud
programs: configured
	@ninja -C $(BUILD) $(PROGRAMS) $$(for t in $(HOME_PROGRAMS); do grep -q "^build $$t:" $(BUILD)/build.ninja && echo $$t; done)

# Packages that came after the first configuration are seen, too.
configured: $(BUILD)/build.ninja
	@if [ -f /usr/include/mosquitto_plugin.h ] && ! grep -q '^build plugins/mosquitto/mosquitto_keywright.so:' $(BUILD)/build.ninja; then \
		meson configure --clearcache $(BUILD) && meson setup --reconfigure $(BUILD); fi

up: setup programs
	@tools/up

down:
	@tools/down

$(BUILD)/build.ninja:
	@meson setup --buildtype=release $(MESON_OPTIONS) $(BUILD)

build: configured
	@meson compile -C $(BUILD)

test: setup
	@$(MAKE) --no-print-directory build
	@tools/test --build $(BUILD)

check:
	@tools/check

sbom: build
	@tools/sbom --build $(BUILD)

bench: build
	@meson test -C $(BUILD) --no-rebuild --benchmark --verbose

soak: build
	@KW_ALL_FAULTS=1 meson test -C $(BUILD) contract_rot_pkcs11_faults
	@KW_LIES_SECONDS=$(LIES_SECONDS) meson test -C $(BUILD) -t 0 --verbose keeper_lies
	@KW_SWEEP=all KW_BUILD_ROOT=$(abspath $(BUILD)) $(PYTEST) -q -rP tests/e2e/test_crash_sweep.py
	@KW_SOAK_SECONDS=$(SOAK_SECONDS) KW_BUILD_ROOT=$(abspath $(BUILD)) $(PYTEST) -q tests/soak

fuzz:
	@tools/fuzz $(FUZZ_SECONDS)

format:
	@tools/format

clean:
	@rm -rf $(BUILD) build-check build-fuzz

# Packages first, then the build, then what needs it.
.NOTPARALLEL:
.PHONY: all help setup programs configured up down build test check sbom bench soak fuzz format clean
