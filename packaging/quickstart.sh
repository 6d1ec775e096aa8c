#!/usr/bin/env bash
# From a fresh Debian 12 to a running weir: installs what is missing, builds, starts the demo, runs a query through it.
#
#   packaging/quickstart.sh            leaves the demo running; again: stops its own earlier one first
#   packaging/quickstart.sh --no-run   only builds build/weir
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. packaging/packages.sh

WEIR=build/weir
LOG=build/demo.log
PID_FILE=build/demo.pid
QUERY="select 'it flows' as weir"
URL_PREFIX=postgres://demo:demo@127.0.0.1
RUN=1
PID=""
case "${1:-}" in
  "") ;;
  --no-run) RUN=0 ;;
  *) sed -n '2,5s/^# \?//p' "$0"; [ "$1" = -h ] || [ "$1" = --help ]; exit ;;
esac

step() { printf '[%d/4] %-9s ' "$1" "$2"; }

# A weir that does not work is not left running.
fail() {
  echo
  [ -z "$PID" ] || stop_earlier
  echo "FAILED. $*"
  exit 1
}

duration() { if [ "$1" -ge 60 ]; then printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); else printf '%ds' "$1"; fi; }

# ---------------------------------------------------------------- build

build() {
  local start=$SECONDS log=build/quickstart.log
  mkdir -p build
  # As tests/run.sh does it, so that this build is used there again.
  cmake --preset release ${CI:+-DWEIR_WERROR=ON} >"$log" 2>&1 && cmake --build --preset release --target weir >>"$log" 2>&1 ||
    { tail -n 25 "$log"; fail "weir does not build: $log has everything."; }
  ln -sfn release/weir "$WEIR"
  echo "$(duration $((SECONDS - start))) -> $WEIR"
}

# ---------------------------------------------------------------- start

# Whether a process id is a weir of this build; after a new build its file counts as deleted.
is_our_weir() {
  local file
  file=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
  [ "${file% (deleted)}" = "$PWD/build/release/weir" ]
}

stop_earlier() {
  local pid
  pid=$(cat "$PID_FILE" 2>/dev/null) || return 0
  rm -f "$PID_FILE"
  [[ $pid =~ ^[0-9]+$ ]] && is_our_weir "$pid" || return 0
  kill "$pid"
  for _ in $(seq 100); do
    is_our_weir "$pid" || return 0
    sleep 0.1
  done
  kill -KILL "$pid"
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FROM: the first from there that nobody serves.
free_port() {
  local port=$1
  while is_taken "$port"; do port=$((port + 1)); done
  echo "$port"
}

# client COMMAND: psql's plain output.
client() { PGCONNECT_TIMEOUT=5 psql -X -A -t "$URL_PREFIX:$PORT/demo" -c "$1"; }

# answers PATH: the body of a page of weir's HTTP side.
answers() {
  "$(command -v python3)" - "http://127.0.0.1:$HTTP_PORT$1" <<'PY'
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())
except OSError as error:
    sys.exit(str(error))
PY
}

start() {
  local version file said
  stop_earlier
  PORT=$(free_port 6432)
  HTTP_PORT=$(free_port 9930)
  WEIR_OPTIONS=()
  if [ "$PORT" != 6432 ] || [ "$HTTP_PORT" != 9930 ]; then
    WEIR_OPTIONS=(--listen "postgres:127.0.0.1:$PORT" --http "127.0.0.1:$HTTP_PORT")
  fi
  version=$("$WEIR" --version) || fail "$WEIR does not run."
  setsid "$WEIR" run --demo "${WEIR_OPTIONS[@]}" >"$LOG" 2>&1 </dev/null &
  PID=$!
  echo "$PID" >"$PID_FILE"
  for _ in $(seq 100); do
    kill -0 "$PID" 2>/dev/null || { cat "$LOG"; fail "weir has ended: $LOG has what it said."; }
    is_taken "$PORT" && is_taken "$HTTP_PORT" && break
    sleep 0.1
  done
  is_taken "$PORT" || { cat "$LOG"; fail "weir does not listen on 127.0.0.1:$PORT after 10 s."; }
  is_taken "$HTTP_PORT" || { cat "$LOG"; fail "weir has no page on 127.0.0.1:$HTTP_PORT after 10 s."; }
  said=$(client '\q' 2>&1) || { cat "$LOG"; fail "weir runs, but does not serve the demo: $said"; }
  echo "$version (pid $PID, log $LOG): no configuration, so this is the demo"
  file=${XDG_DATA_HOME:-${HOME:+$HOME/.local/share}}
  file=${file:-/var/lib}/weir/demo.db
  [ -z "${HOME:-}" ] || file=${file/#$HOME\//\~/}
  say_port postgres 6432 "$PORT" "127.0.0.1:$PORT  database demo, user demo, password demo  ($file)"
  say_port page 9930 "$HTTP_PORT" "http://127.0.0.1:$HTTP_PORT/    metrics http://127.0.0.1:$HTTP_PORT/metrics"
}

say_port() {
  printf '      %-9s %s\n' "$1" "$4"
  [ "$2" = "$3" ] || printf '      %-9s port %s is taken: this is the next free one\n' "" "$2"
}

# ---------------------------------------------------------------- query

ask() {
  local said metric
  echo "psql $URL_PREFIX:$PORT/demo -c \"$QUERY\""
  said=$(client "$QUERY" 2>&1) || fail "the query failed: $said"
  metric=$(answers /metrics | grep '^weir_queries_total{.*database="demo".*}' | head -n 1)
  [ -n "$metric" ] || fail "the answer was '$said', but /metrics counts no query of database demo."
  echo "        weir: $said      metrics: $metric"
}

# ---------------------------------------------------------------- the four steps

step 1 packages
install_packages build || fail "the packages cannot be installed."
echo "$PACKAGES_INSTALLED installed"
step 2 build
build
if [ "$RUN" = 0 ]; then
  echo "OK. Start it: $WEIR run --demo"
  exit
fi
step 3 start
start
step 4 query
ask
CONSOLE=""
[ "$PORT" = 6432 ] || CONSOLE="$URL_PREFIX:$PORT/weir "
echo "OK. weir runs on. Look: $WEIR ctl $CONSOLE\"SHOW POOLS\" · stop: kill $PID"
echo "Your database: $WEIR run --database app=postgres://USER:PASSWORD@HOST/app"
