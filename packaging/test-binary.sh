#!/bin/sh
# Runs the tests against a given binary instead of the one that cargo builds: test-binary.sh BINARY
set -eu

binary=$(cd "$(dirname "$1")" && pwd)/${1##*/}
built=$(cargo test --locked --no-run --message-format json)
tests=$(printf '%s\n' "$built" |
    jq -r 'select(.reason == "compiler-artifact" and .profile.test and .target.kind == ["test"]).executable')
[ -n "$tests" ]
for test in $tests; do
    # Cargo normally sets this to its own binary.
    env "CARGO_BIN_EXE_wpj-state=$binary" "$test"
done
