# lib.sh: what the scripts of this directory share. To be sourced; it starts nothing and changes nothing.

# say, die: one line for the user; die ends the script.
say() { printf 'dqds: %s\n' "$*"; }
die() { printf 'dqds: %s\n' "$*" >&2; exit 1; }

# oldest_major: the oldest PostgreSQL that the extension can be built for (src/base/compat.h says so as well).
oldest_major=15

# own_pg_config: the pg_config of a PostgreSQL that is not of Debian's packages: PG_CONFIG, or the first one in PATH. Prints
# nothing if there is none. (/usr/bin/pg_config is Debian's: it stands for the highest version that has a client.)
own_pg_config() {
  local found
  if [ -n "${PG_CONFIG:-}" ]; then
    printf '%s\n' "$PG_CONFIG"
  elif found=$(command -v pg_config) && [ "$(realpath "$found")" != /usr/bin/pg_config ]; then
    printf '%s\n' "$found"
  fi
}

# installed_major DIRECTORY: the highest version whose server headers are in a directory such as /usr/include/postgresql.
# Prints nothing if there is none that dqds can be built for.
installed_major() {
  local version best=
  for version in "$1"/*; do
    version=${version##*/}
    [[ $version =~ ^[0-9]+$ ]] && [ -e "$1/$version/server/postgres.h" ] && [ "$version" -ge "${best:-$oldest_major}" ] || continue
    best=$version
  done
  printf '%s\n' "$best"
}

# apt_major: the version that apt would install as `postgresql`. Prints nothing if apt does not know that package.
apt_major() {
  LC_ALL=C apt-cache depends postgresql 2>/dev/null | sed -n 's/^[ |]*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1
}

# pg_major: the major version of PostgreSQL to work with: that of own_pg_config; else of Debian's packages the highest one whose
# server headers are installed; else the one that apt would install. Prints nothing if there is none.
pg_major() {
  local pg_config version
  pg_config=$(own_pg_config)
  if [ -n "$pg_config" ]; then
    version=$("$pg_config" --version) || die "$pg_config cannot be run"
    version=${version#PostgreSQL }
    version=${version%%[!0-9]*}
  else
    version=$(installed_major /usr/include/postgresql)
    [ -n "$version" ] || version=$(apt_major) || true
  fi
  printf '%s\n' "$version"
}

# choose_pg_config: exports PG_CONFIG, that of the PostgreSQL to work with, which must be installed.
choose_pg_config() {
  local found
  found=$(own_pg_config)
  PG_CONFIG=${found:-/usr/lib/postgresql/$(pg_major)/bin/pg_config}
  export PG_CONFIG
}

# port_taken PORT: does something listen there on 127.0.0.1? Needs no program but bash.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# at_end FUNCTION: calls it when the script ends, also by a signal. A second signal (make passes on what the terminal has
# sent already) must not cut it short: so signals are off before it runs, and it may run twice.
at_end() {
  # shellcheck disable=SC2064  # the name is to be expanded now
  trap "trap '' INT TERM HUP; $1" EXIT
  trap "trap '' INT TERM HUP; $1; exit 130" INT
  trap "trap '' INT TERM HUP; $1; exit 143" TERM
  trap "trap '' INT TERM HUP; $1; exit 129" HUP
}

# The scripts call make themselves: a calling make's flags and job slots are not theirs.
unset MAKEFLAGS MAKELEVEL MFLAGS
