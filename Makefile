# cloner: `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all

CC      ?= gcc
PKGS    := lua5.4 lua5.4-cjson libpq libcurl libuv libzstd libcrypto libmicrohttpd

# VARIANT=release|test|asan: test adds fault points, asan adds the sanitizers on top of that.
VARIANT ?= release
BUILD   := build/$(VARIANT)

# Messages have a stated maximum and may be cut there: that is what snprintf is for.
WARN := -Wno-format-truncation -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wwrite-strings -Wundef -Wformat=2 -Wvla -Werror
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_test    := -O1 -g -DCL_FAULTS
OPT_asan    := -O1 -g -DCL_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=all \
               -fno-omit-frame-pointer
CFLAGS_ALL  = -std=c11 -D_GNU_SOURCE -fno-common -pthread $(WARN) $(OPT_$(VARIANT)) \
              -Iruntime -I. $(PKG_CFLAGS) $(CFLAGS)
LDLIBS_ALL  = $(PKG_LIBS) -pthread $(LDFLAGS)
# Asked once, and not before the first compilation: pkg-config may be among what gets installed.
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g'))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
LINK_asan  := -fsanitize=address,undefined

SRC      := $(sort $(wildcard runtime/*/*.c bindings/*.c))
EMBEDDED := $(sort $(wildcard runtime/host/*.lua bindings/*.lua runtime/journal/*.sql \
              runtime/journal/*/*.sql runtime/pg/*.sql runtime/backup/*.sql))
OBJ      := $(SRC:%.c=$(BUILD)/%.o)
MAIN     := $(BUILD)/runtime/main.o
GEN      := $(BUILD)/embedded

UNIT     := $(sort $(wildcard tests/unit/*_test.c))
UNIT_BIN := $(UNIT:%.c=$(BUILD)/%)

# V=1 shows the commands, and every test's own output.
Q := $(if $(V),,@)

all: cloner

cloner: $(BUILD)/cloner
	@ln -sf $< $@

$(BUILD)/cloner: $(OBJ) $(MAIN) $(GEN).o
	$(Q)$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LDLIBS_ALL)

$(BUILD)/%.o: %.c Makefile | build/.have-build
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(GEN).c: runtime/base/embed.sh $(EMBEDDED) Makefile
	@mkdir -p $(@D)
	$(Q)./runtime/base/embed.sh $(EMBEDDED) > $@

$(GEN).o: $(GEN).c $(EMBEDDED) | build/.have-build
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Packages, by purpose: the stamp says that they were all there when last looked at.
build/.have-%: .ci/packages
	$(Q).ci/packages $*
	@mkdir -p $(@D) && touch $@

# The C tests: one executable a file, linked with everything but main.
$(BUILD)/tests/%.o: | build/.have-test
$(UNIT_BIN): %: %.o $(OBJ) $(GEN).o
	$(Q)$(CC) $(LINK_$(VARIANT)) -o $@ $^ -lcmocka $(LDLIBS_ALL)

unit: $(UNIT_BIN)

# One test alone: make test ONLY=tests/bindings/db_test.lua
test: build/.have-build build/.have-test
	$(Q)$(MAKE) --no-print-directory VARIANT=test build/test/cloner unit
	$(Q)V='$(V)' tests/run.sh test $(ONLY)

# The same under AddressSanitizer, LeakSanitizer and UBSan.
asan: build/.have-build build/.have-test
	$(Q)$(MAKE) --no-print-directory VARIANT=asan build/asan/cloner unit
	$(Q)V='$(V)' tests/run.sh asan $(ONLY)

clean:
	rm -rf build/release build/test build/asan build/tests cloner

.PHONY: all clean cloner unit test asan
.SECONDARY:
-include $(OBJ:.o=.d) $(UNIT_BIN:=.d)
