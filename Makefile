# One entry point for everything.  `make help` lists it.
#
# X.c that holds a main becomes build/X, linked with the other .c files of its folder and with
# common/.  Nothing is written outside build*/, bench/results/ and plots/.
#
#   make SAN=address    the same tree under build-address/, with ASan and UBSan (or: thread)
#   make CC=clang       the same with another compiler; BUILD=folder keeps it apart

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.SECONDEXPANSION:
.DELETE_ON_ERROR:

BUILD := build$(if $(SAN),-$(SAN))
CFLAGS ?= -O2 -g
TOOLS := common/tools

override CPPFLAGS += -D_GNU_SOURCE -Icommon
override CFLAGS += -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wformat=2 -Werror -pthread
ifeq ($(SAN),)
override CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
override CFLAGS += -fstack-protector-strong
else ifeq ($(SAN),address)
override CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
override CFLAGS += -fsanitize=thread -fno-omit-frame-pointer
else
$(error SAN is address or thread, not '$(SAN)')
endif

# One short line a step; `make V=1` shows the commands.
say = $(if $(V),,@printf '  %-5s %s\n' $1 $2;)

# ---- what there is to build --------------------------------------------------------------------

SOURCES  := $(wildcard common/*.c lessons/*/*.c bench/*.c bench/peers/*.c exercises/*/*.c \
              solutions/*/*.c solutions/*/*/*.c common/*/*.c bench/tests/*.c)
MAINS    := $(shell grep -l '^int main\b' $(SOURCES))
TESTS    := $(filter %_test.c,$(MAINS))
PEERS    := $(filter bench/peers/%,$(MAINS))
PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(filter-out $(TESTS) $(PEERS),$(MAINS)))
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(TESTS))

# Programs that need a library say so here, by its pkg-config name.
needs = $(strip $(if $(filter %_test,$1),check) \
          $(if $(filter bench/peers/libuv%,$1),libuv) $(if $(filter bench/peers/libevent%,$1),libevent))

folder_objects = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(wildcard $(dir $1)*.c)))

.PHONY: all
all: $(PROGRAMS)

$(BUILD)/common.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/*.c))
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(BUILD)/testkit.a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard common/testkit/*.c))
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(call needs,$*),$(shell pkg-config --cflags $(call needs,$*))) \
	  -MMD -MP -c -o $@ $<

LINK = $(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) \
       $(if $(call needs,$(@:$(BUILD)/%=%)),$(shell pkg-config --libs $(call needs,$(@:$(BUILD)/%=%)))) $(LDLIBS)

$(PROGRAMS) $(PEERS:%.c=$(BUILD)/%): $(BUILD)/%: $(BUILD)/%.o \
    $$(call folder_objects,$$*) $(BUILD)/common.a
	$(LINK)

$(TEST_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $$(call folder_objects,$$*) $(BUILD)/testkit.a $(BUILD)/common.a
	$(LINK)

# Other flags or another compiler: everything is built again.
FLAGS := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
ifneq ($(FLAGS),$(file <$(BUILD)/flags))
.PHONY: $(BUILD)/flags
endif
$(BUILD)/flags:
	@mkdir -p $(@D)
	@printf '%s' '$(FLAGS)' > $@

-include $(patsubst %.c,$(BUILD)/%.d,$(SOURCES))
