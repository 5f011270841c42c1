#!/bin/sh
# crash --fill on a file system of its own: a small one in memory, mounted in a name space where that needs no privilege.
# Exit 77 (skipped) where the machine does not allow it.
#
#     test_full.sh CRASH [ARGUMENT...]
set -u
place=$(mktemp -d) || exit 1
trap 'rmdir "$place"' EXIT
unshare -Urm mount -t tmpfs -o size=1m none "$place" 2>/dev/null || exit 77
unshare -Urm sh -c 'mount -t tmpfs -o size=96m none "$0" && exec "$@" --directory "$0" --fill 1000000' "$place" "$@"
