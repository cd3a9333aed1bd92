# One entry point for everything.  `make help` lists it.
#
# X.c that holds a main becomes build/X, linked with what it needs of the other .c files of its
# folder and of common/.  Nothing is written outside build*/, bench/results/ and plots/.
#
#   make SAN=address    the same tree under build-address/, with ASan and UBSan (or: thread)
#   make CC=clang       the same with another compiler; BUILD=folder keeps it apart

SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.SECONDARY:
.SECONDEXPANSION:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

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

# One short line a step; `make V=1` shows the commands, `make -s` nothing.
quiet := $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
say = $(if $(V),,$(if $(quiet),@,@printf '  %-5s %s\n' $1 $2;))

# ---- what there is -----------------------------------------------------------------------------

SOURCES  := $(wildcard common/*.c lessons/*/*.c bench/*.c bench/peers/*.c exercises/[0-9]*/*.c \
              exercises/chat/*.c \
              solutions/*/*.c solutions/*/*/*.c common/*/*.c bench/tests/*.c \
              lessons/*/tests/*.c exercises/tests/*_test.c)
HEADERS  := $(wildcard $(sort $(addsuffix *.h,$(dir $(SOURCES)))))
MAINS    := $(shell grep -l '^int main\b' $(SOURCES))
TESTS    := $(filter %_test.c $(wildcard */*/tests/*_server.c),$(MAINS))
PEERS    := $(filter bench/peers/%,$(MAINS))
PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(filter-out $(TESTS) $(PEERS),$(MAINS)))
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(TESTS))

# What judges an exercise.
graders  := common/grader/% $(patsubst %.c,%,$(wildcard exercises/*/grader.c))

# The exercises that extend the chat room, what they are given, and the room with all of it.
chat     := $(notdir $(wildcard exercises/1[4-7]-chat-*))
chats    := exercises/chat/% solutions/chat-full/% exercises/tests/store_test exercises/tests/emoji_table_test \
              $(foreach e,$(chat),exercises/$e/% solutions/$e/%)

# What needs a library says so here, by its pkg-config name.
needs = $(strip $(if $(filter %_test common/testkit/% $(graders),$1),check) \
          $(if $(filter lessons/12-io-uring/%,$1),liburing) \
          $(if $(filter lessons/14-chat/% $(graders) $(chats),$1),jansson) \
          $(if $(filter $(chats),$1),sqlite3 libsodium) \
          $(if $(filter lessons/14-chat/client lessons/14-chat/terminal solutions/chat-full/client,$1),libedit tinfo) \
          $(if $(filter-out %/server,$(filter solutions/chat-full/%,$1)),libutf8proc) \
          $(if $(filter bench/peers/libuv%,$1),libuv) $(if $(filter bench/peers/libevent%,$1),libevent))

# Those of some programs whose library is not there.
lacking = $(foreach p,$1,$(if $(call needs,$(p:$(BUILD)/%=%)),\
            $(shell pkg-config --exists $(call needs,$(p:$(BUILD)/%=%)) 2> /dev/null || echo $p)))
LACKING := $(strip $(call lacking,$(PROGRAMS)))
PEER_PROGRAMS := $(PEERS:%.c=$(BUILD)/%)

# A folder's files without a main become one archive, of which each program there takes what it
# calls.  A folder's tests also take from the folder above, the chat room and the exercises from the
# event loop, and what extends the chat room from the room; a grader takes nothing from its folder,
# which is the student's; those of the chat room's exercises have its tests' people as guests.
objects  = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(wildcard $1/*.c)))
archive  = $(if $(call objects,$1),$(BUILD)/$1.a)
folder   = $(patsubst %/,%,$(dir $1))
archives = $(foreach f,$(if $(filter %/grader,$1),common/grader,$(call folder,$1)) \
               $(if $(filter %_test,$1),$(call folder,$(call folder,$1))) \
               $(if $(filter $(chats),$1),$(if $(filter %/grader,$1),lessons/14-chat,\
                 $(if $(filter solutions/chat-full/tests/%,$1),lessons/14-chat/tests) \
                 $(if $(filter solutions/chat-full/%,$1),solutions/chat-full $(chat:%=solutions/%) $(chat:%=exercises/%)) \
                 $(if $(filter %/emoji_table_test,$1),exercises/17-chat-emoji) exercises/chat lessons/14-chat)) \
               $(if $(filter lessons/14-chat/% exercises/% solutions/%,$1),lessons/10-reactor) \
               $(if $(filter %_test %/grader,$1),common/testkit) common,$(call archive,$f))
guests   = $(if $(filter %/grader,$(filter $(chats),$1)),$(BUILD)/lessons/14-chat/tests/room_peer.o)

# LESSON is a number, 5 or 05, or a folder's name.
LESSONS := $(notdir $(wildcard lessons/[0-9][0-9]-*))
lesson  := $(filter $(LESSON) $(LESSON)-% 0$(LESSON)-%,$(LESSONS))
programs := $(filter $(BUILD)/lessons/$(lesson)/%,$(PROGRAMS))
server   := $(filter %/server,$(programs))
program  := $(or $(server),$(filter %/$(PROGRAM),$(programs)))
one_lesson = $(if $(filter 1,$(words $(lesson))),,\
               $(error $(if $(LESSON),there is no lesson '$(LESSON)',which lesson, LESSON=...); there are: $(LESSONS)))
one_server = $(one_lesson)$(if $(server),,$(error lessons/$(lesson) has no server.c))

# EX is an exercise in the same way.  A solution with nothing to run is compiled all the same.
EXERCISES := $(notdir $(wildcard exercises/[0-9][0-9]-*))
exercise  := $(filter $(EX) $(EX)-% 0$(EX)-%,$(EXERCISES))
one_exercise = $(if $(filter 1,$(words $(exercise))),,\
                 $(error $(if $(EX),there is no exercise '$(EX)',which exercise, EX=...); there are: $(EXERCISES)))
some_exercise = $(if $(EX),$(one_exercise))
option = $(if $($2),--$1 '$(subst ','\'',$($2))')
options = $(call option,from,FROM) $(call option,seed,SEED) $(call option,jobs,JOBS) \
          $(call option,format,FORMAT) $(call option,out,OUT)
SOLUTIONS := $(foreach f,$(wildcard solutions/[0-9][0-9]-*),$(if $(call lacking,$(BUILD)/$f/any),,$(call archive,$f)))

# ---- targets: `make help` shows what stands behind ## ------------------------------------------

.PHONY: all lesson run watch diff chat exercise grade hint reset class stubs mutants student-kit plots c10k claims bench-peers test fuzz lint format deps clean help

##@ Build
all: $(filter-out $(LACKING),$(PROGRAMS)) $(SOLUTIONS) ## | every program: X.c with a main becomes build/X

lesson: $(programs) ## LESSON=03 | one lesson's programs
	@: $(one_lesson)

##@ Look at a lesson
run: $(programs) ## LESSON=05 ARGS='--port 9000' | start its server; ctrl-C stops it
run: ## LESSON=13 PROGRAM=nodelay | one of its programs, where there is no server
	@$(one_lesson)$(if $(program),exec $(program) $(ARGS),\
	  for program in $(foreach p,$(programs),$(if $(filter claim_%,$(notdir $p)),,$p)); do $$program --help | head -n 1; done)

watch: $(server) $(if $(server),$(BUILD)/$(TOOLS)/hello) ## LESSON=05 | its system calls in one conversation, annotated
ifdef EX
	@$(one_exercise)$(TOOLS)/watch-exercise $(exercise)
else
	@$(one_server)$(TOOLS)/deps watch
	@$(TOOLS)/watch $(server) $(BUILD)/$(TOOLS)/hello $(ARGS)
endif

diff: ## LESSON=05 | the step from the lesson that it grew out of
	@$(one_server)$(TOOLS)/diff lessons/$(lesson)/server.c

##@ The chat room, with all of its extensions
chat: ## ARGS='--port 9000' | start it, and say how to join; its data: build/chat-data
	@$(if $(wildcard solutions/chat-full/server.c),,$(error the whole chat room is made of solutions/, and that is not here))\
	  $(MAKE) --no-print-directory -s all
	@solutions/chat-full/start $(ARGS)

##@ Exercises
exercise: $(filter-out %/grader,$(filter $(BUILD)/exercises/$(exercise)/%,$(PROGRAMS))) ## EX=06 | one exercise's programs, to be tried by hand
	@: $(one_exercise)

grade: ## | judge every exercise: points, and what to do next
grade: ## EX=06 SEED=7 | judge one, and tell how it failed; the same faults again
grade: ## FROM=folder FORMAT=json OUT=f | another's files; also gradescope, autolab, junit
	@$(some_exercise)$(TOOLS)/grade $(options) $(exercise)

watch: ## EX=06 | judge it again at each save; ctrl-C stops it

hint: ## EX=06 | the next of three hints for what failed first
	@$(one_exercise)$(TOOLS)/hint $(exercise)

reset: ## EX=06 | a fresh stub; the old file is kept beside it, as server.c.1
	@$(one_exercise)$(TOOLS)/reset $(exercise)

class: ## FROM=folder FORMAT=csv | judge folder/STUDENT/NN-name for all of them: a table
	@$(TOOLS)/class $(options)

stubs: ## EX=06 | make the stubs again from the solutions; without EX, all
	@$(some_exercise)$(TOOLS)/stubs $(exercise)

mutants: ## EX=06 | judge the mutants: each must fail where it should
	@$(some_exercise)$(TOOLS)/mutants $(exercise)

student-kit: ## | build/student-kit.tar.gz: all of this without the solutions
	@$(TOOLS)/student-kit

##@ Measure
plots: ## | load every server (two minutes) and draw the figures
plots: ## FULL=1 | the same, thoroughly
plots: ## RESULTS=file | only draw the figures again
	@$(TOOLS)/deps build plots
ifdef RESULTS
	@plots/draw $(RESULTS)
else
	@$(MAKE) --no-print-directory all
	@bench/run $(if $(FULL),--full) $(ARGS); ran=$$?; \
	  plots/draw bench/results/$(if $(FULL),full,quick).tsv && exit $$ran
endif

c10k: ## | ten thousand clients on every server that can (two minutes)
	@$(TOOLS)/deps build plots
	@$(MAKE) -s all
	@bench/c10k $(ARGS); ran=$$?; \
	  [ $$ran -gt 1 ] || plots/draw bench/results/c10k.tsv && exit $$ran

claims: ## | what the course says, what is measured, the verdict
	@$(MAKE) -s all
	@$(TOOLS)/claims $(ARGS)

bench-peers: ## | our servers and loads beside libuv, redis, wrk, nats
	@$(TOOLS)/deps --list peers
	@$(MAKE) --no-print-directory all $(filter-out $(call lacking,$(PEER_PROGRAMS)),$(PEER_PROGRAMS))
	@bench/peers/run $(ARGS)
	@echo
	@bench/peers/fanout $(ARGS)

##@ Check
test: ## | all suites, with sanitizers, both compilers, linters
test: ## SUITE=servers_test | one suite or variant (build-address, lint)
	@$(TOOLS)/test $(SUITE)

fuzz: ## SECONDS=600 FULL=1 | let libFuzzer try the chat room; FULL: the whole one
	@$(TOOLS)/deps build lessons lint
	@lessons/14-chat/tests/fuzz_run $(if $(FULL),--full) $(SECONDS)

lint: ## | clang-format, clang-tidy, cppcheck and shellcheck
	@$(TOOLS)/deps lint
	@$(TOOLS)/lint

format: ## | let clang-format lay out every C file
	@$(TOOLS)/deps lint
	@clang-format -i $(SOURCES) $(HEADERS)

##@ Keep house
deps: ## | install every package that anything here needs
	@$(TOOLS)/deps

clean: ## | remove every build folder
	@rm -rf build build-*

help: ## | this list
	@awk -f $(TOOLS)/help.awk $(firstword $(MAKEFILE_LIST))

# ---- how it is built ---------------------------------------------------------------------------

$(BUILD)/%.a: $$(call objects,$$*) $(BUILD)/sources
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $(filter %.o,$^)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) $(call extra,$*) $(if $(call needs,$*),$(shell pkg-config --cflags $(call needs,$*))) \
	  -MMD -MP -c -o $@ $<

# The exercises may use the event loop; the solutions what is given beside a stub; and a student's
# warning does not stop him.
extra = $(if $(filter exercises/% solutions/%,$1),-Ilessons/10-reactor) \
        $(if $(filter $(chats),$1),-Ilessons/14-chat -Iexercises/chat) \
        $(if $(filter solutions/chat-full/%,$1),$(chat:%=-Iexercises/%)) \
        $(if $(filter solutions/%,$1),-I$(patsubst solutions/%,exercises/%,$(call folder,$1))) \
        $(if $(filter-out %/grader,$(filter exercises/%,$1)),-Wno-error)

# A library that is not there is installed, where that is allowed; else its programs are left out.
# LACKING= ends it: the make below believes that nothing is lacking, and does not come here again.
ifneq ($(LACKING),)
all:
	@if $(TOOLS)/deps lessons grade; then $(MAKE) --no-print-directory LACKING= $(LACKING); \
	  else echo 'left out: $(LACKING)'; fi
.PHONY: $(LACKING)
$(LACKING):
	@$(TOOLS)/deps lessons grade
	@$(MAKE) --no-print-directory LACKING= $@
endif

# [now] The first call of a library's function, bound only then, saves every register on the stack, and
# half a password may stand in one: where passwords come by, all is bound at the start.
bind_now := -Wl,-z,now
LINK = $(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(if $(filter libsodium,$(call needs,$(@:$(BUILD)/%=%))),$(bind_now)) \
       -o $@ $(filter %.o %.a,$^) \
       $(if $(call needs,$(@:$(BUILD)/%=%)),$(shell pkg-config --libs $(call needs,$(@:$(BUILD)/%=%)))) $(LDLIBS)

$(filter-out $(LACKING),$(PROGRAMS)) $(PEER_PROGRAMS) $(TEST_PROGRAMS): $(BUILD)/%: \
    $(BUILD)/%.o $$(call guests,$$*) $$(call archives,$$*) $(BUILD)/sources
	$(LINK)

# A test that is a student's program as well.
$(BUILD)/exercises/tests/faults_test: $(BUILD)/common/grader/wrap.o
$(BUILD)/exercises/tests/faults_test: private LDFLAGS += -Wl,@common/grader/wrapped

.PHONY: test-programs
test-programs: $(filter-out $(call lacking,$(TEST_PROGRAMS)),$(TEST_PROGRAMS))

# Other flags or another compiler: everything is built again.  A file more or less: everything is
# linked again.  Each list is kept in a file that is out of date when it says something else.
flags   := $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
sources := $(SOURCES) with main: $(MAINS)
compiler := $(shell command -v $(firstword $(CC)))
ifneq ($(flags),$(and $(compiler),$(file <$(BUILD)/flags)))
.PHONY: $(BUILD)/flags
endif
ifneq ($(sources),$(file <$(BUILD)/sources))
.PHONY: $(BUILD)/sources
endif
keep = @mkdir -p $(@D); printf '%s' '$(subst ','\'',$($(@F)))' > $@
$(BUILD)/flags:
	@$(if $(compiler),,$(TOOLS)/deps build)
	$(keep)
$(BUILD)/sources:
	$(keep)

-include $(patsubst %.c,$(BUILD)/%.d,$(SOURCES))
