#!/usr/bin/env bash
# The Debian packages that weir needs, in one list, and how to install what is missing.
#
#   packaging/packages.sh build test     install two of the subsets (default: build)
#   packaging/packages.sh --list run     print the names of a subset, one on each line
#
# build  compile weir, and psql to ask it something
# test   what tests/run.sh needs on top of build
# run    what a machine needs to run a weir that was built elsewhere
#
# Other scripts source this file and call install_packages.

packages_of() {
  case $1 in
    build) echo cmake ninja-build ccache g++ pkg-config libuv1-dev liburing-dev libssl-dev libpq-dev libsqlite3-dev \
                libyaml-cpp-dev libpam0g-dev libldap-dev prometheus-cpp-dev libcivetweb-dev libfmt-dev libspdlog-dev libcli11-dev \
                nlohmann-json3-dev libgtest-dev libgmock-dev postgresql-client python3 ;;
    test)  echo git clang-14 libclang-rt-14-dev clang-format-14 gcc patch util-linux \
                python3-pytest python3-pytest-xdist python3-yaml postgresql-15 postgresql-contrib slapd ldap-utils pgbouncer haproxy \
                redis-server redis-tools tcl8.6 xz-utils python3-redis libhiredis-dev \
                python3-psycopg python3-psycopg2 python3-asyncpg nodejs npm \
                libpostgresql-jdbc-java python3-jpype default-jre-headless \
                freetds-bin python3-pymssql libjtds-java ;;
    run)   echo libuv1 liburing2 libssl3 libpq5 libsqlite3-0 libyaml-cpp0.7 libpam0g libldap-2.5-0 libprometheus-cpp-core1.0 \
                libcivetweb1 libfmt9 libspdlog1.10 ;;
    *)     echo "packages.sh: no subset '$1': build, test or run" >&2; return 2 ;;
  esac
}

# is_there NAME INSTALLED: whether a package is among those, or what it is wanted for is there without it. Node.js is
# often from elsewhere, and then Debian's npm cannot be installed beside it.
is_there() {
  case $1 in
    nodejs) command -v node >/dev/null ;;
    npm)    command -v npm >/dev/null ;;
    *)      [[ $2 == *" installed $1 "* ]] ;;
  esac
}

# The names of the subsets that are not installed.
missing_packages() {
  local subset name names=() have
  for subset in "$@"; do
    names+=($(packages_of "$subset")) || return 2
  done
  have=" $(dpkg-query -W -f '${db:Status-Status} ${Package} ' 2>/dev/null) "
  for name in "${names[@]}"; do
    is_there "$name" "$have" || echo "$name"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo --preserve-env=DEBIAN_FRONTEND "$@"
  else
    echo "packages.sh: installing packages needs root or sudo" >&2
    return 1
  fi
}

# The tests start servers of their own. Debian would also start one for the machine with each package, and its
# pgbouncer on weir's port: while packages are installed, it may not.
SERVICE_POLICY=/usr/sbin/policy-rc.d
forbid_services() {
  [ -e "$SERVICE_POLICY" ] && return 1
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$SERVICE_POLICY" >/dev/null && as_root chmod 755 "$SERVICE_POLICY"
}

# Installs what is missing of the subsets. Sets PACKAGES_INSTALLED; explains itself on stderr when it cannot.
install_packages() {
  local missing log status=0 forbidden=0
  PACKAGES_INSTALLED=0
  missing=$(missing_packages "$@") || return 2
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "packages.sh: no apt-get here; these are needed:" $missing >&2
    return 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  forbid_services && forbidden=1
  { as_root apt-get update -q && as_root apt-get install -q -y --no-install-recommends $missing; } \
    >"$log" 2>&1 </dev/null || status=1
  [ "$forbidden" = 0 ] || as_root rm -f "$SERVICE_POLICY"
  if [ "$status" != 0 ]; then
    echo "packages.sh: cannot install:" $missing >&2
    tail -n 15 "$log" >&2
  else
    PACKAGES_INSTALLED=$(wc -w <<<"$missing")
  fi
  rm -f "$log"
  return "$status"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -u
  if [ "${1:-}" = --list ]; then
    shift
    for subset in "${@:-build}"; do packages_of "$subset" | tr ' ' '\n' | sort -u; done
    exit
  fi
  install_packages "${@:-build}" || exit 1
  echo "packages  $PACKAGES_INSTALLED installed"
fi
