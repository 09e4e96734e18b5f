#!/bin/sh
# The key holder links neither HTTP nor SQL nor JSON nor YAML nor an event loop: every library that it loads is named here, and
# no such library is inside it either.
set -u
program=$1
status=0

result() { # passed number what
    [ "$1" = 0 ] && echo "ok $2 - $3" && return
    echo "not ok $2 - $3"
    status=1
}

echo "1..3"
allowed='linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libgcc_s|libcrypto|libgfshare|libseccomp|libz|libzstd'
allowed="$allowed|libtss2-[a-z0-9-]*|libp11-kit|libffi|libasan|libubsan|libtsan"
found=$(ldd "$program") || {
    echo "Bail out! ldd $program"
    exit 1
}
strange=$(echo "$found" | awk '{print $1}' | sed 's|.*/||' | grep -vE "^($allowed)(-[a-z0-9_-]*)?\.so(\.|\$)")
[ -z "$strange" ] || echo "# not expected in the keeper: $strange"
[ -z "$strange" ]
result $? 1 "the keeper loads only what it may"

# The dynamic section alone: what the linker was told, not what its libraries load.
needed=$(readelf -dW "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
[ -n "$needed" ]
named=$?
if echo "$needed" | grep -E 'curl|microhttpd|event|jansson|json|sqlite|yaml|libpq|libssl|cbor|nghttp'; then named=1; fi
result $named 2 "its dynamic section names no HTTP, SQL, JSON, YAML, TLS or event library"

# A static library would show by its functions, as would our own layers above it.
symbols=$(nm "$program" 2>/dev/null | awk 'NF == 3 && $2 ~ /[tT]/ {print $3}')
if [ -z "$symbols" ]; then
    echo "ok 3 # SKIP the program is stripped"
    exit $status
fi
inside=$(echo "$symbols" | grep -E \
    '^(curl_|MHD_|ev(ent|buffer|http|dns|conn)_|json_|sqlite3_|fy_|yaml_|PQ[a-z]|SSL_|cbor_|codec_|http_|router_|store_|api_)')
[ -z "$inside" ] || echo "# inside the keeper: $inside" | tr '\n' ' '
[ -z "$inside" ]
result $? 3 "no such library is linked into it"
exit $status
