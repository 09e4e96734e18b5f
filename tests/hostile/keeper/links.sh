#!/bin/sh
# The key holder links neither HTTP nor SQL nor JSON nor an event loop: every library it loads is named here.
set -u
program=$1

echo "1..1"
allowed='linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libgcc_s|libcrypto|libgfshare|libz|libzstd'
allowed="$allowed|libtss2-[a-z0-9-]*|libasan|libubsan|libtsan"
found=$(ldd "$program") || {
    echo "not ok 1 - ldd $program"
    exit 1
}
strange=$(echo "$found" | awk '{print $1}' | sed 's|.*/||' | grep -vE "^($allowed)(-[a-z0-9_-]*)?\.so(\.|\$)")
if [ -n "$strange" ]; then
    echo "# not expected in the keeper: $strange"
    echo "not ok 1 - the keeper links only what it may"
    exit 1
fi
echo "ok 1 - the keeper links only what it may"
