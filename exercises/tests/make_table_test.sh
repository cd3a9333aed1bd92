#!/bin/bash
# That the table of exercise 17 is what its script makes of the package, and that the script says what
# is to be installed if that is not there.
# shellcheck disable=SC2317  # check calls the functions by their names

cd "$(dirname "$0")/../.." || exit 1
source common/testkit/check.sh

folder=exercises/17-chat-emoji
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

says_what_to_install() {
    GEMOJI=$scratch "$folder/make-table" --print > "$scratch/table" 2> "$scratch/said"
    [ $? -eq 3 ] && [ ! -s "$scratch/table" ] && grep -q 'npm install .* gemoji@[0-9.]*$' "$scratch/said"
}
check says-what-to-install says_what_to_install

# The head of the table names the version of the script.
names_its_version() {
    local version
    version=$(sed -n 's/^version=//p' "$folder/make-table")
    grep -q "npm package gemoji $version," "$folder/emoji_codes.c"
}
check names-its-version names_its_version

is_what_is_made() {
    "$folder/make-table" --print | cmp - "$folder/emoji_codes.c"
}
if "$folder/make-table" --print > /dev/null 2> "$scratch/said"; then
    check is-what-is-made is_what_is_made
else
    skip is-what-is-made "$(tr -s '\n ' ' ' < "$scratch/said")"
fi

finish "$(basename "$0")"
