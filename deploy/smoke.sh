#!/usr/bin/env bash
# Tries what could only be written down: images, compose file and manifests, on a machine that has Docker or a cluster.
#
#   deploy/smoke.sh compose          builds the images, starts everything, asks one recording a question, sees an alert fire,
#                                    backs up, restores into empty volumes, asks again, tears it down
#   deploy/smoke.sh compose --gpu    the same with WhisperX on a GPU (3 GB of weights are fetched)
#   deploy/smoke.sh k8s              the overlay `local` in kubectl's current cluster, a throwaway one: kind, k3d, minikube
#   deploy/smoke.sh k8s --operators  the same scaled by KEDA, and `production` as the operators that are there would take it
#   deploy/smoke.sh check URL KEY    only the questions, to an Earshot that runs
#
# Needs curl and python3; docker with compose, or kubectl. It touches no deployment of yours: its project and namespace
# have names of their own, and both are gone at the end (--keep leaves them).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=no gpu=no operators=no

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

ask() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $key" "$@"; }

# The rest of these read url and key of their caller, and ask about its asset.
add_recording() {
    asset=$(ask -F "file=@$root/demo/meeting.opus" "$url/api/recordings/upload" | field asset id)
    pass "took the recording in: $asset"
    ended() { [[ $(ask "$url/api/assets/$asset" | field status) =~ ^(ready|failed|cancelled)$ ]]; }
    until_true 1800 "its job came to an end" ended
    [ "$(ask "$url/api/assets/$asset" | field status)" = ready ] ||
        fail "the job failed: $(ask "$url/api/assets/$asset" | field error message)"
}

ask_about_it() {
    local answer
    ask "$url/api/recordings/$asset/transcript?format=srt" | grep -q -- '-->' || fail "no transcript"
    pass "the transcript can be read"
    ask --output /dev/null "$url/api/recordings/$asset/media" --range 0-99 || fail "it cannot be played"
    pass "it can be played"
    [ -n "$(ask "$url/api/search?q=computers" | field items 0 url)" ] || fail "the search finds nothing"
    pass "the search finds it"
    answer=$(ask --json '{"question": "Which equipment was stolen?"}' "$url/api/answers")
    [ -n "$(field citations 0 quote <<<"$answer")" ] || fail "no answer with a citation: $answer"
    pass "answered: $(field citations 0 quote <<<"$answer")"
}

delete_it() {
    ask --request DELETE "$url/api/assets/$asset" >/dev/null || fail "it cannot be deleted"
    pass "deleted again"
}

is_shut() {
    say "Asking $url"
    until_true 180 "every part is ready" curl --silent --fail "$url/api/health/ready"
    [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/api/assets")" = 401 ] ||
        fail "without a key nobody gets in"
    pass "without a key nobody gets in"
}

check() {
    local url=$1 key=$2 asset
    is_shut
    add_recording
    ask_about_it
    delete_it
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
    local open
    ! compose exec -T postgres timeout 3 bash -c '</dev/tcp/1.1.1.1/443' 2>/dev/null || fail "the database reaches the internet"
    pass "the database has no way out"
    open=$(docker ps --filter label=com.docker.compose.project=earshot-smoke --format '{{.Label "com.docker.compose.service"}} {{.Ports}}' |
        awk '/->/ { print $1 }' | sort | xargs)
    [ "$open" = "alertmanager gateway grafana prometheus" ] || fail "these have ports on this machine: $open"
    pass "four have ports on this machine: $open"

    local url=http://127.0.0.1:18000 asset
    key=$(compose exec -T gateway sh -c 'python -m gateway.admin ensure-admin-key --write /tmp/key && cat /tmp/key' 2>/dev/null)
    is_shut
    add_recording
    ask_about_it
    watch_it
    restore_it
    ask_about_it
    delete_it

    say "Stopping and starting"
    local began=$SECONDS
    compose stop gateway fetcher asr embedder chat
    [ $((SECONDS - began)) -le 20 ] || fail "the services took $((SECONDS - began)) s to end"
    pass "the services ended by themselves"
    compose up --detach --wait --wait-timeout 300
    until_true 120 "it is ready again" curl --silent --fail http://127.0.0.1:18000/api/health/ready
    say "All of it works here."
}

prometheus_says() {
    curl --silent --fail http://127.0.0.1:19090/api/v1/query --data-urlencode "query=$1" | field data result 0 value 1 | grep -qx "$2"
}

watch_it() {
    say "Watching it"
    local grafana=http://127.0.0.1:13000 password
    until_true 120 "Prometheus scrapes everything" prometheus_says 'min(up{job=~"earshot|earshot-asr-workers|rabbitmq.*|objects"})' 1
    until_true 60 "Grafana answers" curl --silent --fail "$grafana/api/health"
    password=$(sed -n 's/^GRAFANA_PASSWORD=//p' "$work/.env")
    until_true 60 "Grafana reaches its datasource" \
        curl --silent --fail --user "admin:$password" "$grafana/api/datasources/uid/prometheus/health"
    [ "$(curl --silent --fail --user "admin:$password" "$grafana/api/search?tag=earshot" | grep -o '"uid":"earshot-' | wc -l)" = 4 ] ||
        fail "Grafana does not show the four dashboards"
    pass "Grafana shows the four dashboards"
    compose exec -T fetcher python - <<'POISON'
import asyncio, os, aio_pika
async def publish():
    async with await aio_pika.connect(os.environ["EARSHOT_RABBITMQ_URL"]) as connection:
        exchange = await (await connection.channel()).get_exchange("earshot.events")
        await exchange.publish(aio_pika.Message(b"{", content_type="application/json"), "ingestion.requested.v1")
asyncio.run(publish())
POISON
    alerted() { curl --silent --fail http://127.0.0.1:19093/api/v2/alerts | grep -q EarshotMessagesParked; }
    until_true 180 "a message that nobody can read fires an alert, and Alertmanager has it" alerted
}

# The commands of docs/containers.md, with this project's name.
restore_it() {
    say "Backing up, and restoring into empty volumes"
    compose stop gateway fetcher asr asr-worker asr-gpu embedder chat
    compose exec -T postgres pg_dump -U postgres --format=custom earshot >"$work/earshot.dump"
    docker run --rm -v earshot-smoke_objects:/data:ro -v "$work":/backup debian:12-slim tar -C /data -czf /backup/objects.tgz .
    compose down --volumes
    docker run --rm -v earshot-smoke_objects:/data -v "$work":/backup debian:12-slim tar -C /data -xzf /backup/objects.tgz
    compose up --detach --wait postgres rabbitmq objects
    compose run --rm migrate
    compose exec -T postgres pg_restore -U postgres --clean --if-exists --dbname earshot <"$work/earshot.dump"
    compose up --detach --wait --wait-timeout 600
    until_true 120 "it is ready again" curl --silent --fail "$url/api/health/ready"
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
    overlay=local
    [ "$keep" = yes ] ||
        trap '[ -z "$forward" ] || kill "$forward"; kubectl delete --ignore-not-found --wait=false -k "$work/k8s/overlays/$overlay"; rm -rf "$work"' EXIT

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
    [ "$operators" = no ] || { overlay=scaled; add_scaled; }
    kubectl apply --kustomize "$work/k8s/overlays/$overlay"
    [ "$operators" = no ] || ask_operators
    kubectl --namespace earshot wait --for=condition=complete job/earshot-migrate --timeout=900s ||
        { kubectl --namespace earshot get pods; kubectl --namespace earshot logs job/earshot-migrate --tail 50; fail "migrate"; }
    kubectl --namespace earshot rollout status deployment --timeout=600s
    pass "everything is rolled out"
    asleep() { [ "$(kubectl --namespace earshot get deployment asr-worker -o 'jsonpath={.spec.replicas}')" = 0 ]; }
    [ "$operators" = no ] || until_true 900 "with empty queues there is no asr worker" asleep

    local key
    key=$(kubectl --namespace earshot exec deployment/gateway-api -- \
        sh -c 'python -m gateway.admin ensure-admin-key --write /tmp/key && cat /tmp/key' 2>/dev/null)
    kubectl --namespace earshot port-forward service/gateway 18000:8000 >/dev/null &
    forward=$!
    check http://127.0.0.1:18000 "$key"
    [ "$operators" = no ] || { pass "KEDA woke asr for the recording"; until_true 1500 "and let it go again" asleep; }

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

# The overlay `local`, its workers by the length of their queues; one at rest would not show that KEDA wakes it.
add_scaled() {
    mkdir "$work/k8s/overlays/scaled"
    cat >"$work/k8s/overlays/scaled/kustomization.yaml" <<'OVERLAY'
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: earshot
resources: [../local]
components: [../../components/keda]
OVERLAY
    kubectl label namespace keda earshot.dev/role=autoscaling --overwrite
}

# By the schemas and admission webhooks of the operators of this cluster; nothing of it is kept. Jobs and pods of the two
# overlays have the same names, and a namespace of the profile `baseline` would be asked for: only the operators' own are sent.
ask_operators() {
    say "What the operators say of the overlay production"
    kubectl kustomize "$work/k8s/overlays/production" | python3 -c '
import re, sys
wanted = "Cluster|RabbitmqCluster|Exchange|Queue|Binding|ScaledObject|TriggerAuthentication|PodMonitor|PrometheusRule"
for document in re.split(r"^---$", sys.stdin.read(), flags=re.M):
    if re.search(rf"^kind: ({wanted})$", document, re.M): print("---", document, sep="\n")' |
        kubectl apply --dry-run=server --filename - || fail "not taken"
    pass "CloudNativePG, RabbitMQ's two, KEDA and Prometheus take their resources"
    local image version
    image=$(sed -n 's/^ *imageName: //p' "$work/k8s/overlays/production/postgres.yaml")
    version=$(docker run --rm --entrypoint sh "$image" -c 'sed -n "s/^default_version = .\(.*\).$/\1/p" /usr/share/postgresql/*/extension/vector.control')
    printf '%s\n' 0.8.4 "$version" | sort --check --version-sort 2>/dev/null || fail "pgvector $version in $image is too old"
    pass "pgvector $version in $image"
}

usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

what=${1:-}
[ $# -gt 0 ] && shift
words=()
for word in "$@"; do
    case $word in
        --gpu) gpu=yes ;;
        --operators) operators=yes ;;
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
