#!/usr/bin/env bash
# A throwaway PostgreSQL with pgvector for the tests. `postgres.sh start DIR` prints its URI and leaves it in DIR/url; `postgres.sh stop DIR` ends it and removes DIR.
# Installs what is absent (Debian, as root): PostgreSQL 15 and PgBouncer from the distribution, and pgvector built from Debian's source package, since bookworm has none.
set -euo pipefail
command=$1
dir=$2
bin=/usr/lib/postgresql/15/bin

install() {
  export DEBIAN_FRONTEND=noninteractive
  if [ ! -x "$bin/initdb" ] || [ ! -x /usr/sbin/pgbouncer ] || [ ! -e /usr/share/postgresql/15/extension/vector.control ]; then
    apt-get update -qq
    apt-get install -y -qq postgresql-15 postgresql-server-dev-15 pgbouncer gcc make >/dev/null
  fi
  if [ ! -e /usr/share/postgresql/15/extension/vector.control ]; then
    local source list
    source=$(mktemp -d)
    list=/etc/apt/sources.list.d/pgvector-source.list
    # The mirror that this machine uses already.
    echo "deb-src $(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1) trixie main" >"$list"
    (
      cd "$source"
      apt-get update -qq
      apt-get source -qq --download-only pgvector >/dev/null
      tar xf pgvector_*.orig.tar.gz --strip-components=1
      make -s OPTFLAGS="" PG_CONFIG="$bin/pg_config" >/dev/null
      make -s OPTFLAGS="" PG_CONFIG="$bin/pg_config" install >/dev/null
    )
    rm -rf "$source" "$list"
  fi
}

as_postgres() {
  if [ "$(id -u)" = 0 ]; then su postgres -s /bin/bash -c "$*"; else bash -c "$*"; fi
}

case "$command" in
start)
  install >&2
  mkdir -p "$dir"
  [ "$(id -u)" = 0 ] && chown postgres "$dir"
  port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })')
  as_postgres "$bin/initdb -D $dir/data -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8" >/dev/null
  as_postgres "$bin/pg_ctl -D $dir/data -w -l $dir/log -o \"-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c fsync=off -c max_connections=200\" start" >/dev/null
  echo "postgres://postgres@127.0.0.1:$port/postgres" | tee "$dir/url"
  ;;
stop)
  as_postgres "$bin/pg_ctl -D $dir/data -m fast stop" >/dev/null || true
  rm -rf "$dir"
  ;;
esac
