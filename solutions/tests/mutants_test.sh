#!/bin/bash
# That every mistake of solutions/*/mutants loses points in the check meant for it, with words that name
# its cause: see common/tools/mutants, whose matrix is printed.  Each mutant counts as one test.
#
#   mutants_test.sh [EXERCISE...]

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh
unset BUILD CC

said=$(common/tools/mutants "$@")
status=$?
grep '^|' <<< "$said"
while IFS= read -r line; do
    echo "FAILED $line"
    failed=$((failed + 1))
done < <(sed -n 's/^mutants: //p' <<< "$said")
if [[ $(tail -n 1 <<< "$said") =~ ^([0-9]+)' mutants of '[0-9]+' exercises, '([0-9]+)' wrong, '([0-9]+)' right'$ ]]; then
    passed=${BASH_REMATCH[3]}
else
    echo "FAILED mutants: ended with status $status and without its last line"
    failed=$((failed + 1))
fi
finish "$(basename "$0")"
