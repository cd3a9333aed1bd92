/* sanitizer - which sanitizer this build has: gcc and clang say so in different ways. */
#ifndef TESTKIT_SANITIZER_H
#define TESTKIT_SANITIZER_H

#ifdef __has_feature
#define SANITIZER_HAS(feature) __has_feature(feature)
#else
#define SANITIZER_HAS(feature) 0
#endif

#if defined(__SANITIZE_THREAD__) || SANITIZER_HAS(thread_sanitizer)
enum { SANITIZER_THREAD = 1, SANITIZER_ADDRESS = 0 };
#elif defined(__SANITIZE_ADDRESS__) || SANITIZER_HAS(address_sanitizer)
enum { SANITIZER_THREAD = 0, SANITIZER_ADDRESS = 1 };
#else
enum { SANITIZER_THREAD = 0, SANITIZER_ADDRESS = 0 };
#endif

#endif
