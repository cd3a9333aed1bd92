# What `make`, `make run`, `make watch` and `make diff` mean inside a lesson's folder: the same as
# in the top folder, for this lesson alone.  Each lesson's Makefile includes this file.

LESSON := $(notdir $(CURDIR))
TOP := $(MAKE) --no-print-directory -C ../.. LESSON=$(LESSON)

.PHONY: lesson run watch diff
lesson run watch diff:
	@$(TOP) $@
