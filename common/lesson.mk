# What `make`, `make run`, `make watch` and `make diff` mean inside a lesson's folder: the same as
# in the top folder, for this lesson alone.  Each lesson's Makefile includes this file.

SHELL := /bin/bash
LESSON := $(notdir $(CURDIR))

.PHONY: lesson run watch diff
# ctrl-C ends a server as it should; that is no failure to report.
lesson run watch diff:
	@trap stopped=1 INT; $(MAKE) --no-print-directory -C ../.. LESSON=$(LESSON) $@; \
	  status=$$?; [ -n "$$stopped" ] || exit $$status
