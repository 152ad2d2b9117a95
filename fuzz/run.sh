#!/bin/sh
# Runs a fuzz target for some seconds, with seeds from the fixtures: fuzz/run.sh TARGET SECONDS
#
# Needs a nightly Rust and cargo-fuzz. Failing inputs are in fuzz/artifacts/. Each should become a test.
set -eu

target=$1
seconds=$2
cd "$(dirname "$0")/.."
seeds=fuzz/seeds/$target
rm -rf "$seeds"
mkdir -p "$seeds" "fuzz/corpus/$target"

# Copies each fixture file that matches $1, under a unique name.
collect() {
    find fixtures -type f -path "$1" | while IFS= read -r file; do
        cp "$file" "$seeds/$(printf '%s' "$file" | tr '/ ' '__')"
    done
}

# A number as four bytes, big-endian.
bytes() {
    printf '%b' "$(printf '\\0%o\\0%o\\0%o\\0%o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
}

case $target in
    keychain) collect '*.keychain*' ;;
    certificate) cargo run --quiet -p fixture-generator --bin certificates -- "$seeds" ;;
    plist) collect '*.plist' ;;
    app_sso) collect '*/app-sso.txt' ;;
    sso_status) collect '*/psso-status.txt' ;;
    end_to_end)
        for home in fixtures/*/home; do
            keychain=$home/Library/Keychains/login.keychain-db
            plist=$home/Library/Preferences/com.jamf.management.jamfAAD.plist
            if [ -f "$keychain" ] && [ -f "$plist" ]; then
                { bytes "$(wc -c <"$keychain")"; cat "$keychain" "$plist"; } >"$seeds/$(basename "$(dirname "$home")")"
            fi
        done
        ;;
    *)
        echo "$target: no such target" >&2
        exit 2
        ;;
esac
# The largest seeds have about 30 kB. There is no address sanitizer, because the parsers have no unsafe code.
cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "$seeds" -- \
    -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=512 -print_final_stats=1
