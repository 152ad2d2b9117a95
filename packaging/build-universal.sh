#!/bin/sh
# Builds the tool for both kinds of Mac and joins them: build-universal.sh BINARY
#
# Needs cargo-auditable, which writes the list of crates into the binary.
set -eu

binary=$1
MACOSX_DEPLOYMENT_TARGET='13.0'
export MACOSX_DEPLOYMENT_TARGET

set --
for target in aarch64-apple-darwin x86_64-apple-darwin; do
    rustup target add "$target"
    cargo auditable build --release --locked --target "$target"
    set -- "$@" "target/$target/release/wpj-state"
done
mkdir -p "$(dirname "$binary")"
lipo -create -output "$binary" "$@"
# About 1.5 MB for each kind of Mac is acceptable.
if [ "$(wc -c <"$binary")" -gt 3145728 ]; then
    echo "$binary: larger than 3 MB; find out what has grown, and make it smaller" >&2
    exit 1
fi
