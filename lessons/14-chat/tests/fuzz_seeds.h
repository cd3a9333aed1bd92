/* fuzz_seeds - the seeds of the fuzzer, and what a few changes make of them, in every build. */
#ifndef FUZZ_SEEDS_H
#define FUZZ_SEEDS_H

/*
 * fuzz_seeds_run - run every seed as it is, and changed in so many ways, as a suite.
 *
 * patterns  of the seeds' files, as glob(3) reads them, from the top folder; NULL at the end
 *
 * Returns what main does.
 */
int fuzz_seeds_run(const char *name, const char *const patterns[], unsigned changed);

#endif
