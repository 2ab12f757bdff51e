# lib.sh: what the scripts of this directory share. To be sourced; it starts nothing and changes nothing.

# say, die: one line for the user; die ends the script.
say() { printf 'dqds: %s\n' "$*"; }
die() { printf 'dqds: %s\n' "$*" >&2; exit 1; }

# pg_major: the major version of PostgreSQL to work with: that of pg_config, where there is one, else Debian 12's.
pg_major() {
  local version
  version=$("${PG_CONFIG:-pg_config}" --version 2>/dev/null) || version='PostgreSQL 15'
  version=${version#PostgreSQL }
  printf '%s\n' "${version%%[!0-9]*}"
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
