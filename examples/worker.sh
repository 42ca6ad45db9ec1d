#!/usr/bin/env bash
# A worker of bash, curl and jq: takes the jobs of a Sluice queue one by one over HTTP and runs a command for each.
#
#   SLUICE_API_KEY=... examples/worker.sh pull-demo ./my-command its arguments
#
# The command reads the job's data, JSON, from standard input; what it writes to standard output is the result, as JSON or
# as text. It ends with 0, or the job is tried again as often as its `attempts` say, with the end of standard error as the
# reason; with 65, it is not tried again. JOB_ID, JOB_NAME and JOB_ATTEMPT are in its environment. When somebody cancels
# the job it gets SIGTERM; when the worker is stopped (SIGTERM, SIGINT) as well, and the job is given back.
#
#   SLUICE_URL     http://localhost:8080
#   LEASE_SECONDS  30: how long a job stays ours unheard of
set -uo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }
case ${1:-} in
  -h | --help) usage && exit 0 ;;
esac
if [[ $# -lt 2 || -z ${SLUICE_API_KEY:-} ]]; then
  usage >&2
  exit 2
fi
queue=$1
shift
command=("$@")
api=${SLUICE_URL:-http://localhost:8080}/api/v2
lease_seconds=${LEASE_SECONDS:-30}
long_poll_seconds=20
max_pause_seconds=30

home=$(mktemp -d)
# Not an argument of curl: those are for everybody to see.
printf 'X-DreamFactory-API-Key: %s\n' "$SLUICE_API_KEY" >"$home/key"
unset SLUICE_API_KEY

# Sleeps so that a signal is heard at once.
rest() {
  sleep "$1" &
  wait $!
}

log() { printf '%s\n' "$*" >&2; }

# ask PATH BODY ANSWER: one request; BODY is a file, so is ANSWER. Prints the status, 000 when there was no answer.
ask() {
  curl --silent --max-time $((long_poll_seconds + 10)) --header "@$home/key" --header 'Content-Type: application/json' \
    --data-binary "@$2" --dump-header "$3.headers" --output "$3" --write-out '%{http_code}' "$api$1"
}

# post PATH BODY ANSWER: asks until there is an answer, and succeeds when it is good. What was answered unheard may be
# asked again: settling a lease twice the same way answers the same.
post() {
  local status pause=1 wanted
  while :; do
    status=$(ask "$1" "$2" "$3")
    case $status in
      2??) return 0 ;;
      000 | 429 | 502 | 503 | 504) ;;
      *)
        log "$status $(jq -r '.error.message // empty' "$3" 2>/dev/null)"
        return 1
        ;;
    esac
    if [[ -n $stopping ]]; then return 1; fi
    wanted=$(grep -i '^retry-after:' "$3.headers" 2>/dev/null | tr -dc 0-9)
    log "no answer ($status): again in ${wanted:-$pause} s"
    rest "${wanted:-$pause}"
    pause=$((pause * 2 > max_pause_seconds ? max_pause_seconds : pause * 2))
  done
}

# settle VERB JQ-ARGUMENTS...: tells what became of the job we hold. jq makes the body.
settle() {
  local verb=$1
  shift
  jq -cn "$@" >"$home/settled"
  if post "/leases/$lease/$verb" "$home/settled" "$home/told"; then
    log "$JOB_ID $JOB_NAME, attempt $JOB_ATTEMPT: $(jq -r .state "$home/told")"
  else
    return 1
  fi
}

# The result is too large, say: left alone, the job would be handed out again.
refused() { settle fail '{error: "the result was refused", retryable: false}'; }

# Keeps the lease three times within its time; stops the command when the job was cancelled or is no longer ours.
beat() {
  local status
  printf '{}' >"$home/beat"
  while sleep "$(jq -n "$lease_seconds / 3")" && [[ $(<"$home/held") == "$lease" ]]; do
    status=$(ask "/leases/$lease/heartbeat" "$home/beat" "$home/beaten")
    case $status in
      200) jq -e '.cancel' "$home/beaten" >/dev/null || continue ;;
      403 | 409) : >"$home/lost" ;;
      *) continue ;; # The next beat is the next try.
    esac
    kill -TERM -- "-$working"
    return
  done
}

stopping=
working=
asking=
stop() {
  # A background job that hears a signal as soon as it begins still has this trap.
  if [[ $BASHPID -ne $$ ]]; then exit; fi
  stopping=yes
  if [[ -n $working ]]; then kill -TERM -- "-$working"; fi
  if [[ -n $asking ]]; then kill -TERM -- "-$asking"; fi
} 2>/dev/null
trap stop TERM INT

# Runs the command for the job in $home/taken and tells what came of it.
work() {
  local code beating
  lease=$(jq -r '.resource[0].lease' "$home/taken")
  JOB_ID=$(jq -r '.resource[0].job.id' "$home/taken")
  JOB_NAME=$(jq -r '.resource[0].job.name' "$home/taken")
  JOB_ATTEMPT=$(jq -r '.resource[0].attempt' "$home/taken")
  export JOB_ID JOB_NAME JOB_ATTEMPT
  jq -c '.resource[0].job.data' "$home/taken" >"$home/data"
  rm -f "$home/lost"
  printf '%s' "$lease" >"$home/held"
  log "$JOB_ID $JOB_NAME, attempt $JOB_ATTEMPT: begun"

  # Under job control each gets a process group, so that a signal reaches what the command has started.
  set -m
  "${command[@]}" <"$home/data" >"$home/result" 2>"$home/errors" &
  working=$!
  beat &
  beating=$!
  set +m
  if [[ -n $stopping ]]; then stop; fi
  # A trapped signal ends `wait` before the command has ended.
  while wait "$working"; code=$?; kill -0 "$working" 2>/dev/null; do :; done
  working=
  : >"$home/held"
  # It may not hear this, being just begun; then it ends at its first beat.
  kill -TERM -- "-$beating" 2>/dev/null

  if [[ -e $home/lost ]]; then
    log "$JOB_ID $JOB_NAME: no longer ours"
  elif [[ -n $stopping ]]; then
    settle release '{}'
  elif [[ $code -ne 0 ]]; then
    # A job that was cancelled ends as such, whatever is said of it.
    settle fail --arg error "$(tail -c 1000 "$home/errors")" --argjson code "$code" \
      '{error: (if $error == "" then "exit code \($code)" else $error end), retryable: ($code != 65)}'
  elif jq -e -s 'length == 1' "$home/result" >/dev/null 2>&1; then
    settle complete --slurpfile result "$home/result" '{result: $result[0]}' || refused
  else
    settle complete --rawfile result "$home/result" '{result: $result}' || refused
  fi
}

for program in curl jq; do
  command -v "$program" >/dev/null || { log "this needs $program" && exit 2; }
done
log "taking jobs of '$queue' from $api"
jq -n --argjson seconds "$lease_seconds" --argjson wait "$long_poll_seconds" \
  '{count: 1, lease_ms: ($seconds * 1000), wait: $wait}' >"$home/wanted"
while [[ -z $stopping ]]; do
  # In the background, so that a signal is heard at once; a request that is given up gets no job.
  rm -f "$home/taken"
  set -m
  post "/queues/$queue/leases" "$home/wanted" "$home/taken" &
  asking=$!
  set +m
  if [[ -n $stopping ]]; then stop; fi
  wait "$asking"
  code=$?
  asking=
  if [[ $code -eq 0 && $(jq '.resource | length' "$home/taken") -gt 0 ]]; then
    work
  elif [[ $code -ne 0 && -z $stopping ]]; then
    rest "$max_pause_seconds"
  fi
done
# Not in a trap on EXIT, which a background job may have for a moment as well.
rm -rf "$home"
log stopped
