#!/bin/sh
# Builds the installer package on a Mac: build-pkg.sh BINARY FOLDER
#
# BINARY is the universal binary. The package is written to FOLDER, as wpj-state.pkg if INSTALLER_IDENTITY names the
# certificate to sign it with, else as wpj-state-unsigned.pkg. It has the binary's version. It is a distribution
# package, because enrolment and MDM accept only those.
#
# The package contains only /usr/local/wpj-state. The postinstall script creates the links in /usr/local/bin and among
# the manual pages, because a package with /usr/local/bin would change the owner of that folder, for example Homebrew's
# user.
set -eu

binary=$1
folder=$2
here=$(cd "$(dirname "$0")" && pwd)

for architecture in arm64 x86_64; do
    if ! lipo "$binary" -verify_arch "$architecture"; then
        echo "$binary: the slice for $architecture is missing" >&2
        exit 1
    fi
done
version=$("$binary" --version)
version=${version#wpj-state }

staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
# Set independently of the umask, because the folder gets this mode on the Mac, too.
install -d -m 0755 "$staged/payload" "$staged/scripts"
mkdir -p "$folder"
install -m 0755 "$binary" "$staged/payload/wpj-state"
install -m 0755 "$here/uninstall.sh" "$staged/payload/uninstall.sh"
install -m 0644 "$here/wpj-state.1" "$here"/completions/* "$staged/payload"
install -m 0755 "$here/preinstall" "$here/postinstall" "$staged/scripts"

if [ -n "${INSTALLER_IDENTITY:-}" ]; then
    package=$folder/wpj-state.pkg
    set -- --sign "$INSTALLER_IDENTITY" --timestamp
else
    package=$folder/wpj-state-unsigned.pkg
    set --
fi
# "recommended" changes the owner from the user who builds the package to root:wheel.
pkgbuild --root "$staged/payload" --scripts "$staged/scripts" --identifier wpj-state --version "$version" \
    --install-location /usr/local/wpj-state --ownership recommended "$staged/component.pkg"
productbuild --distribution "$here/distribution.xml" --package-path "$staged" "$@" "$package"
echo "$package"
