# Shared by the stories: claims that are checked as they are printed. Needs common.sh and $work, a folder.
# shellcheck shell=bash disable=SC2154
claims=0

phase() { printf '\n%s%s%s  %s\n' "$bold" "$1" "$plain" "$2"; }

# claim "text" command…: the command must succeed.
claim() {
    local text=$1
    shift
    if ! "$@" >"$work/out" 2>&1; then
        printf '  %s✗ %s%s\n' "$red" "$text" "$plain"
        sed 's/^/      /' "$work/out" >&2
        die "The story does not hold: $text"
    fi
    claims=$((claims + 1))
    printf '  %s✓%s %s\n' "$green" "$plain" "$text"
}
# refused "text" "what its error must say" command…: the command must fail, for that reason.
refused() {
    local text=$1 why=$2
    shift 2
    if "$@" >"$work/out" 2>&1 || ! grep -qiE "$why" "$work/out"; then
        printf '  %s✗ %s%s\n' "$red" "$text" "$plain"
        sed 's/^/      /' "$work/out" >&2
        die "The story does not hold: $text"
    fi
    claims=$((claims + 1))
    printf '  %s✓%s %s\n      %s%s%s\n' "$green" "$plain" "$text" "$dim" "$(tail -1 "$work/out")" "$plain"
}
now_ms() { date +%s%3N; }
# within SECONDS command…: try it until it succeeds.
within() {
    local end=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$end" ] || return 1
        sleep 0.02
    done
}
