# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `make help` lists the targets. Everything that is built goes to build/.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= /usr/sbin/bpftool
CFLAGS  ?= -O2 -g
V       ?= 0
VERSION := 0.1.0

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wconversion \
        $(if $(CI),-Werror)
ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

# the ordinary flags of the agent and of what tests it
AGENT_CFLAGS = -std=gnu11 $(WARN) -Iinclude -Iuser -isystem build -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -MMD -MP \
               $(CFLAGS) $(CPPFLAGS)
AGENT_LIBS   = -lbpf -lelf -lz -ljson-c -lpthread

USER_SRC := $(wildcard user/*.c user/verbs/*.c user/outputs/*.c user/demo/*.c)
USER_OBJ := $(USER_SRC:%.c=build/%.o)
CORE_OBJ := $(filter-out build/user/main.o,$(USER_OBJ))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=build/tests/%) build/tests/names

BUILD_PACKAGES = gcc make clang libc6-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev libjson-c-dev bpftool
TEST_PACKAGES  = libcmocka-dev iproute2 nftables python3 man-db groff-base qemu-system-x86 qemu-system-common \
                 busybox-static

.PHONY: all run check check-servers demo bench install clean help deps deps-test
all: build/lostpeer

help:
	@echo 'make                build/lostpeer (calls no package manager)'
	@echo 'make run            install what building needs, build, show live events (root)'
	@echo 'make demo           the same, and make one drop of every kind in network namespaces (root)'
	@echo 'make check          install what tests need, build, run every test that this machine can run (root)'
	@echo 'make check-servers  the same for the tests against nginx, redis, PostgreSQL and sshd (root)'
	@echo 'make bench          what a connection costs with lostpeer attached, beside none (root)'
	@echo 'make install        PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); starts and enables nothing'
	@echo 'make clean          remove build/'
	@echo 'INSTALL_DEPS=no     never call the package manager; V=1 shows the commands'

build/bpf/lostpeer.bpf.o: bpf/lostpeer.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Iinclude -Ibpf \
		$(if $(MULTIARCH),-I/usr/include/$(MULTIARCH)) -Wall -Wextra -Wno-unused-parameter $(if $(CI),-Werror) \
		-MMD -MP -MF $(@:.o=.d) -c $< -o $@

build/lostpeer.skel.h: build/bpf/lostpeer.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name lostpeer > $@.tmp && mv $@.tmp $@

build/user/%.o: user/%.c | build/lostpeer.skel.h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(AGENT_CFLAGS) -c $< -o $@

build/lostpeer: $(USER_OBJ)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(AGENT_LIBS)

# the skeleton is made of the BPF object: who includes it is rebuilt with it
build/user/kernel.o: build/lostpeer.skel.h

build/tests/%: tests/unit/%.c $(CORE_OBJ)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(AGENT_CFLAGS) $(LDFLAGS) $< $(CORE_OBJ) -o $@ -lcmocka $(AGENT_LIBS)

deps:
	@tools/install-deps $(BUILD_PACKAGES)

deps-test:
	@tools/install-deps $(BUILD_PACKAGES) $(TEST_PACKAGES)

run: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)build/lostpeer watch

demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)build/lostpeer demo

check: deps-test
	$(Q)$(MAKE) --no-print-directory all $(UNIT_BIN)
	$(Q)tests/run

check-servers: deps-test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/twice tests/servers/run --install

bench: deps-test
	$(Q)$(MAKE) --no-print-directory all
	$(Q)tests/bench/run

install: all
	install -D -m 0755 build/lostpeer $(DESTDIR)$(PREFIX)/sbin/lostpeer
	install -D -m 0644 tools/man/lostpeer.8 $(DESTDIR)$(PREFIX)/share/man/man8/lostpeer.8
	install -D -m 0644 tools/man/lostpeer-events.7 $(DESTDIR)$(PREFIX)/share/man/man7/lostpeer-events.7

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
