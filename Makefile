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
              -Iruntime -I. $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g') $(CFLAGS)
LDLIBS_ALL  = $(shell pkg-config --libs $(PKGS)) -pthread $(LDFLAGS)
LINK_asan  := -fsanitize=address,undefined

SRC      := $(sort $(wildcard runtime/*/*.c bindings/*.c))
EMBEDDED := $(sort $(wildcard runtime/host/*.lua bindings/*.lua runtime/journal/*.sql \
              runtime/journal/*/*.sql runtime/pg/*.sql runtime/backup/*.sql))
OBJ      := $(SRC:%.c=$(BUILD)/%.o)
MAIN     := $(BUILD)/runtime/main.o
GEN      := $(BUILD)/embedded

# V=1 shows the commands.
Q := $(if $(V),,@)

all: cloner

cloner: $(BUILD)/cloner
	@ln -sf $< $@

$(BUILD)/cloner: $(OBJ) $(MAIN) $(GEN).o
	$(Q)$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LDLIBS_ALL)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(GEN).c: runtime/base/embed.sh $(EMBEDDED) Makefile
	@mkdir -p $(@D)
	$(Q)./runtime/base/embed.sh $(EMBEDDED) > $@

$(GEN).o: $(GEN).c $(EMBEDDED)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

clean:
	rm -rf build/release build/test build/asan cloner

.PHONY: all clean cloner
-include $(OBJ:.o=.d)
