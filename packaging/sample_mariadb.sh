# sample_mariadb.sh: the second sample source of `make run`, a MariaDB. Sourced by run, whose functions and variables it uses.
#
# It is left out where Debian's mariadb-server-core is not there: then $mariadb_port is empty.

mariadb_server=/usr/sbin/mariadbd
mariadb_port=

mariadb_root() { "${as_server[@]}" mariadb --no-defaults --socket="$sockets/mariadb" --skip-ssl --user=root "$@"; }

# mariadb_new: an empty one, in place of what an earlier run has left.
mariadb_new() {
  rm -rf mariadb
  [ -x "$mariadb_server" ] || return 0
  mkdir mariadb
  if [ "$(id -u)" = 0 ]; then chown postgres: mariadb; fi
  if ! "${as_server[@]}" mariadb-install-db --no-defaults --datadir="$run/mariadb" --auth-root-authentication-method=normal \
    --skip-test-db --tmpdir="$sockets" >log/mariadb.log 2>&1; then
    tail -n 15 log/mariadb.log >&2
    die "could not create the database of mariadb"
  fi
}

mariadb_start() {
  [ -d mariadb ] || return 0
  mariadb_port=$(cat mariadb_port 2>/dev/null || true)
  if [ -z "$mariadb_port" ] || port_taken "$mariadb_port"; then mariadb_port=$(free_port); fi
  printf '%s\n' "$mariadb_port" >mariadb_port
  start mariadb log/mariadb.log TERM "$mariadb_server" --no-defaults --datadir="$run/mariadb" --socket="$sockets/mariadb" \
    --pid-file="$run/mariadb/pid" --tmpdir="$sockets" --bind-address=127.0.0.1 --port="$mariadb_port" --skip-name-resolve --skip-ssl \
    --character-set-server=utf8mb4 --innodb-buffer-pool-size=32M --innodb-log-file-size=16M
  wait_for mariadb 60 mariadb_root -e 'SELECT 1'
}

# mariadb_fill: once.
mariadb_fill() {
  [ -n "$mariadb_port" ] || return 0
  mariadb_root <<SQL
CREATE USER sample_reader@'127.0.0.1' IDENTIFIED BY '$(cat password)';
SQL
  mariadb_root <"$top/packaging/sample_mariadb.sql" >/dev/null
}

# mariadb_model: its connection model; nothing where it is left out.
mariadb_model() {
  [ -n "$mariadb_port" ] || return 0
  printf '{"provider_type": "mariadb", "mariadb": {"host": "127.0.0.1", "port": "%s", "user": "sample_reader", "password": "%s"}}' \
    "$mariadb_port" "$(cat password)"
}
