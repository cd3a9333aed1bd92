#!/bin/bash
# fuzz_run_test - the fuzzer's seeds, and bounded runs from them: SECONDS_OF_FUZZING, 15 unless set.
set -u
cd "${0%/*}/../../.." || exit 1
source common/testkit/check.sh

# runtime - clang can link what -fsanitize=fuzzer asks for.
runtime() {
    echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' |
        clang -fsanitize=fuzzer -x c -o /dev/null - 2> /dev/null
}

check seeds "${BUILD:-build}/lessons/14-chat/tests/fuzz_test"
if ! command -v clang > /dev/null; then
    skip fuzz_run "clang is not installed (make deps)"
elif ! runtime; then
    skip fuzz_run "clang has no fuzzer runtime here"
else
    check fuzz_run lessons/14-chat/tests/fuzz_run "${SECONDS_OF_FUZZING:-15}"
    [ ! -d solutions/chat-full ] ||
        check fuzz_run-full lessons/14-chat/tests/fuzz_run --full "${SECONDS_OF_FUZZING:-15}"
fi
finish fuzz_run
