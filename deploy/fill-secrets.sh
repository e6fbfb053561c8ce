#!/bin/sh
# Writes X for every X.example named, with fresh secrets in the place of what stands in angle brackets:
#   <random:NAME>    48 hexadecimal digits; the same name is the same secret, in all files of one call
#   <private:NAME>   base64 of a new Ed25519 private key, <public:NAME> of its public key
# Needs openssl. A file that exists is left alone, and then nothing is written: other secrets would lock the data out.
set -eu

[ $# -gt 0 ] || { echo "usage: $0 FILE.example…" >&2; exit 2; }
for example in "$@"; do
    case $example in
        *.example) ;;
        *) echo "$example: its name must end in .example" >&2; exit 2 ;;
    esac
    [ -f "$example" ] || { echo "$example: there is no such file" >&2; exit 1; }
    if [ -e "${example%.example}" ]; then
        echo "${example%.example} exists already. Remove it first, if nothing was ever started with it." >&2
        exit 1
    fi
done
command -v openssl >/dev/null || { echo "openssl is needed: apt-get install openssl" >&2; exit 1; }

umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/earshot-secrets.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Written as commands of sed, so that no secret is ever an argument of a program.
grep -ho '<[a-z]*:[a-z-]*>' "$@" | sort -u | while IFS=: read -r kind name; do
    kind=${kind#<} name=${name%>}
    case $kind in
        random)
            printf 's|<random:%s>|%s|g\n' "$name" "$(openssl rand -hex 24)"
            ;;
        private | public)
            # The last 32 bytes of either encoding are the key itself.
            [ -f "$work/$name.pem" ] || openssl genpkey -algorithm ed25519 -out "$work/$name.pem"
            printf 's|<private:%s>|%s|g\n' "$name" \
                "$(openssl pkey -in "$work/$name.pem" -outform DER | tail -c 32 | openssl base64 -A)"
            printf 's|<public:%s>|%s|g\n' "$name" \
                "$(openssl pkey -in "$work/$name.pem" -pubout -outform DER | tail -c 32 | openssl base64 -A)"
            ;;
        *)
            echo "<$kind:$name>: of random, private and public it is none" >&2
            exit 1
            ;;
    esac
done >"$work/fill.sed"

for example in "$@"; do
    sed -f "$work/fill.sed" "$example" >"${example%.example}"
    echo "wrote ${example%.example}"
done
