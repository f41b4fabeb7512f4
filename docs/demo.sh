#!/usr/bin/env bash
# Makes docs/demo.svg: the demo as it ran in a terminal, with the waiting cut short.
#
# Needs mxwarden, asciinema 2 (PyPI) and svg-term (npm: svg-term-cli) on the PATH.
set -euo pipefail
cd "$(dirname "$0")"
readonly columns=120 rows=38

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Ctrl-C once the demo has shown everything.
asciinema rec --quiet --cols "$columns" --rows "$rows" "$work/whole.cast" \
    --command "printf '\033[1m\$ mxwarden demo\033[0m\n'; timeout --foreground --signal INT 58 mxwarden demo"
# No pause is longer than three seconds, but the last: there is time to read before it begins again.
python3 - "$work/whole.cast" >"$work/short.cast" <<'END'
import json, sys

head, *events = map(json.loads, open(sys.argv[1]))
print(json.dumps(head))
before = at = 0
for time, kind, text in events:
    at, before = at + min(time - before, 3), time
    print(json.dumps([at, kind, text]))
print(json.dumps([at + 8, "o", ""]))
END
svg-term --in "$work/short.cast" --out demo.svg --window --no-cursor
