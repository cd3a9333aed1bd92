# What `make`, `make grade`, `make hint`, `make watch` and `make reset` mean inside an exercise's
# folder: the same as in the top folder, for this exercise alone.  Each one's Makefile includes this.

SHELL := /bin/bash
EX := $(notdir $(CURDIR))

.PHONY: exercise grade hint watch reset
# ctrl-C ends a watch as it should; that is no failure to report.
exercise grade hint watch reset:
	@trap stopped=1 INT; $(MAKE) --no-print-directory -C ../.. EX=$(EX) $@; \
	  status=$$?; [ -n "$$stopped" ] || exit $$status
