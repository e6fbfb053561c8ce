#!/usr/bin/env bash
# Tries what could only be written down: images, compose file and manifests, on a machine that has Docker or a cluster.
#
#   deploy/smoke.sh compose         builds the images, starts everything, asks one recording a question, tears it down
#   deploy/smoke.sh compose --gpu   the same with WhisperX on a GPU (3 GB of weights are fetched)
#   deploy/smoke.sh k8s             the overlay `local` in kubectl's current cluster, a throwaway one: kind, k3d, minikube
#   deploy/smoke.sh check URL KEY   only the questions, to an Earshot that runs
#
# Needs curl and python3; docker with compose, or kubectl. It touches no deployment of yours: its project and namespace
# have names of their own, and both are gone at the end (--keep leaves them).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=no gpu=no

say() { printf '\n== %s\n' "$*"; }
pass() { printf 'ok    %s\n' "$*"; }
fail() { printf 'FAIL  %s\n' "$*" >&2; exit 1; }

# field NAME…: what lies there in the JSON at stdin; empty when it is null or absent.
field() { python3 -c '
import json, sys
found = json.load(sys.stdin)
for name in sys.argv[1:]:
    found = found[int(name)] if isinstance(found, list) else found.get(name)
    if found is None: break
print("" if found is None else found)' "$@"; }

# until SECONDS WHAT COMMAND…: the command, once a second or two, until it succeeds.
until_true() {
    local seconds=$1 what=$2 began=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - began)) -lt "$seconds" ] || fail "$what: not within $seconds s"
        sleep 2
    done
    pass "$what"
}

# --- the questions ------------------------------------------------------------------------------------------------

check() {
    local url=$1 key=$2 asset answer
    ask() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $key" "$@"; }

    say "Asking $url"
    until_true 180 "every part is ready" curl --silent --fail "$url/api/health/ready"
    [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/api/assets")" = 401 ] ||
        fail "without a key nobody gets in"
    pass "without a key nobody gets in"

    asset=$(ask -F "file=@$root/demo/meeting.opus" "$url/api/recordings/upload" | field asset id)
    pass "took the recording in: $asset"
    ended() { [[ $(ask "$url/api/assets/$asset" | field status) =~ ^(ready|failed|cancelled)$ ]]; }
    until_true 1800 "its job came to an end" ended
    [ "$(ask "$url/api/assets/$asset" | field status)" = ready ] ||
        fail "the job failed: $(ask "$url/api/assets/$asset" | field error message)"

    ask "$url/api/recordings/$asset/transcript?format=srt" | grep -q -- '-->' || fail "no transcript"
    pass "the transcript can be read"
    ask --output /dev/null "$url/api/recordings/$asset/media" --range 0-99 || fail "it cannot be played"
    pass "it can be played"
    [ -n "$(ask "$url/api/search?q=computers" | field items 0 url)" ] || fail "the search finds nothing"
    pass "the search finds it"
    answer=$(ask --json '{"question": "Which equipment was stolen?"}' "$url/api/answers")
    [ -n "$(field citations 0 quote <<<"$answer")" ] || fail "no answer with a citation: $answer"
    pass "answered: $(field citations 0 quote <<<"$answer")"
    ask --request DELETE "$url/api/assets/$asset" >/dev/null || fail "it cannot be deleted"
    pass "deleted again"
}

# --- Docker -------------------------------------------------------------------------------------------------------

compose() { docker compose --project-name earshot-smoke --project-directory "$root" --env-file "$work/.env" "$@"; }

try_compose() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/earshot-smoke.XXXXXX")
    cp "$root/.env.example" "$work/.env.example"
    "$root/deploy/fill-secrets.sh" "$work/.env.example"
    local profile=cpu key
    [ "$gpu" = no ] || profile=gpu
    {
        echo "COMPOSE_PROFILES=$profile,observability"
        echo "EARSHOT_LISTEN=127.0.0.1:18000"
        echo "PROMETHEUS_LISTEN=127.0.0.1:19090"
        echo "ALERTMANAGER_LISTEN=127.0.0.1:19093"
        echo "GRAFANA_LISTEN=127.0.0.1:13000"
    } >>"$work/.env"
    [ "$keep" = yes ] || trap 'compose down --volumes --remove-orphans; rm -rf "$work"' EXIT

    say "Building and starting"
    compose config --quiet && pass "compose understands the file"
    compose build
    compose up --detach --wait --wait-timeout 600 || { compose ps --all; compose logs --tail 50; fail "not healthy"; }
    pass "everything is healthy"

    say "What a container may do"
    for service in gateway fetcher asr embedder chat; do
        [ "$(compose exec -T "$service" python -c 'import os; print(os.getuid())')" = 10001 ] || fail "$service runs as root"
        ! compose exec -T "$service" sh -c 'touch /opt/earshot/x' 2>/dev/null || fail "$service writes to its root"
    done
    pass "none runs as root, none writes to its root"
    ! compose exec -T embedder python -c 'import socket; socket.create_connection(("1.1.1.1", 443), 3)' 2>/dev/null ||
        fail "embedder reaches the internet"
    pass "embedder has no way out"

    key=$(compose exec -T gateway sh -c 'python -m gateway.admin ensure-admin-key --write /tmp/key && cat /tmp/key' 2>/dev/null)
    check http://127.0.0.1:18000 "$key"

    say "Watching it"
    targets() {
        curl --silent --fail http://127.0.0.1:19090/api/v1/query --data-urlencode 'query=min(up{job=~"earshot|rabbitmq.*"})' |
            field data result 0 value 1 | grep -qx 1
    }
    until_true 120 "Prometheus scrapes everything" targets
    until_true 60 "Grafana answers" curl --silent --fail http://127.0.0.1:13000/api/health

    say "Stopping and starting"
    local began=$SECONDS
    compose stop gateway fetcher asr embedder chat
    [ $((SECONDS - began)) -le 20 ] || fail "the services took $((SECONDS - began)) s to end"
    pass "the services ended by themselves"
    compose up --detach --wait --wait-timeout 300
    until_true 120 "it is ready again" curl --silent --fail http://127.0.0.1:18000/api/health/ready
    say "All of it works here."
}

# --- Kubernetes ---------------------------------------------------------------------------------------------------

try_kubernetes() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/earshot-smoke.XXXXXX")
    cp -r "$root/deploy/k8s" "$work/k8s"
    find "$work/k8s" -name '*.env' -delete
    find "$work/k8s" -name '*.env.example' -exec "$root/deploy/fill-secrets.sh" {} +
    if kubectl get namespace earshot >/dev/null 2>&1; then
        fail "there is a namespace earshot in this cluster already; this wants a throwaway one"
    fi
    forward=
    [ "$keep" = yes ] ||
        trap '[ -z "$forward" ] || kill "$forward"; kubectl delete --ignore-not-found --wait=false -k "$work/k8s/overlays/local"; rm -rf "$work"' EXIT

    say "Images"
    local target
    for target in gateway fetcher asr embedder chat migrate; do
        docker build --quiet --file "$root/deploy/docker/Dockerfile" --target "$target" --tag "earshot/$target:0.1.0" "$root"
        case $(kubectl config current-context) in
            kind-*) kind load docker-image "earshot/$target:0.1.0" --name "$(kubectl config current-context | sed 's/^kind-//')" ;;
            k3d-*) k3d image import "earshot/$target:0.1.0" --cluster "$(kubectl config current-context | sed 's/^k3d-//')" ;;
            minikube) minikube image load "earshot/$target:0.1.0" ;;
            *) echo "The cluster must be able to pull earshot/$target:0.1.0" ;;
        esac
    done

    say "Applying"
    kubectl kustomize "$work/k8s/overlays/production" >/dev/null && pass "the overlay production can be rendered"
    kubectl apply --kustomize "$work/k8s/overlays/local"
    kubectl --namespace earshot wait --for=condition=complete job/earshot-migrate --timeout=900s ||
        { kubectl --namespace earshot get pods; kubectl --namespace earshot logs job/earshot-migrate --tail 50; fail "migrate"; }
    kubectl --namespace earshot rollout status deployment --timeout=600s
    pass "everything is rolled out"

    local key
    key=$(kubectl --namespace earshot exec deployment/gateway-api -- \
        sh -c 'python -m gateway.admin ensure-admin-key --write /tmp/key && cat /tmp/key' 2>/dev/null)
    kubectl --namespace earshot port-forward service/gateway 18000:8000 >/dev/null &
    forward=$!
    check http://127.0.0.1:18000 "$key"

    say "What a pod may reach (only where the cluster's network enforces policies)"
    reach() { kubectl --namespace earshot exec "deployment/$1" -- python -c \
        'import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)' "$2" "$3" >/dev/null 2>&1; }
    reach chat-api embedder 8103 || fail "chat does not reach the embedder"
    pass "chat reaches the embedder"
    if reach embedder-api 1.1.1.1 443 || reach embedder-api fetcher 8101; then
        echo "NOTE  this cluster's network does not enforce policies"
    else
        pass "the embedder reaches neither the internet nor the fetcher"
    fi
    say "All of it works here."
}

usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

what=${1:-}
[ $# -gt 0 ] && shift
words=()
for word in "$@"; do
    case $word in
        --gpu) gpu=yes ;;
        --keep) keep=yes ;;
        -*) usage ;;
        *) words+=("$word") ;;
    esac
done
case $what in
    compose) try_compose ;;
    k8s) try_kubernetes ;;
    check) [ ${#words[@]} -eq 2 ] || usage; check "${words[@]}" ;;
    *) usage ;;
esac
