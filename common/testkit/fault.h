/*
 * fault - the one sentence that says why a test failed.
 *
 * What the testkit does either works or leaves a sentence here and returns false, so that calls
 * chain with && and the caller decides whether a failure is bad news.
 */
#ifndef TESTKIT_FAULT_H
#define TESTKIT_FAULT_H

#include <stdbool.h>

/* fault - keep a sentence as the reason for a failure, in place of the last one.  Returns false,
 * so that it can be what a function returns. */
bool fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fault_text - the sentence kept last, "" if there is none; valid until the next fault. */
const char *fault_text(void);

#endif
