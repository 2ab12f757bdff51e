# workplace.sh: a throw-away copy of the project, built there, and a private PostgreSQL with it. To be sourced, after lib.sh,
# in the project's directory, by the scripts that test or measure dqds.
#
# Nothing of the system or of the project's directory is changed. PostgreSQL never runs as root: called by root, everything
# after the copy is done by the user postgres. The directory is removed if the script sets passed=yes and kept otherwise; no
# process is left in any case.
#
#   workplace_open     makes $work, and sets $src (the copy) and $bin (the private server's programs)
#   workplace_copy     copies the project's files into a new directory
#   workplace_build    copies and builds; its arguments go to make
#   workplace_run      runs a command as the tester in an environment of its own; NAME=VALUE may come first
#   workplace_failures shows the end of the log of each test file that failed

passed=no
file_timeout=${TEST_FILE_TIMEOUT:-900} # seconds that one test file may take
jobs=${TEST_JOBS:-2}

# stop_processes: ends every process whose working directory is in $work, as that of each of our servers is.
stop_processes() {
  local signal proc found
  for signal in INT KILL; do
    for _ in {1..50}; do
      found=
      for proc in /proc/[0-9]*; do
        case $(readlink "$proc/cwd" 2>/dev/null || true) in
          "$work" | "$work"/*) found=yes; kill "-$signal" "${proc#/proc/}" 2>/dev/null || true ;;
        esac
      done
      [ -n "$found" ] || return 0
      sleep 0.1
    done
  done
}

workplace_close() {
  cd /
  stop_processes
  if [ "$passed" = yes ]; then
    rm -rf "$work"
  elif [ -d "$work" ]; then
    say "failed; everything is kept in $work" >&2
    work=/nowhere # said once
  fi
}

workplace_open() {
  choose_pg_config
  if [ "$(id -u)" = 0 ]; then unset TMPDIR; fi # root's own may be closed to others
  work=$(mktemp -d "${TMPDIR:-/tmp}/dqds-test.XXXXXX")
  src=$work/src
  bin=$work/tree$("$PG_CONFIG" --bindir)
  as_tester=(env)
  if [ "$(id -u)" = 0 ]; then
    as_tester=(setpriv --reuid=postgres --regid=postgres --init-groups env "HOME=$work")
    chown postgres: "$work"
  fi
  "${as_tester[@]}" mkdir "$work/tmp"
  at_end workplace_close
}

# project_files: the names of the files to copy, each ended by a NUL: what git knows or would add, where it works here.
project_files() {
  local file
  { git ls-files -co --exclude-standard -z 2>/dev/null ||
      find . \( -name .git -o -name .run -o -name .remotes -o -name .servers -o -name .providers -o -name '*.o' -o -name '*.so' -o -path ./bridge/dqds-bridge -o -path ./agent/dqds-agent \) -prune \
        -o \( -type f -o -type l \) -print0; } |
    while IFS= read -r -d '' file; do
      if [ -e "$file" ]; then printf '%s\0' "$file"; fi # deleted, but git does not know yet
    done
}

workplace_copy() { # DIRECTORY
  "${as_tester[@]}" mkdir "$1"
  project_files | tar -c --null --no-recursion -T - | "${as_tester[@]}" tar -x -C "$1" --no-same-owner
}

# Builds a copy of the project in DIRECTORY for the PostgreSQL of PG_CONFIG, and a private installation with it in TREE. The
# current directory is then that one.
workplace_build_in() { # DIRECTORY PG_CONFIG TREE make's arguments...
  local directory=$1 pg_config=$2 tree=$3
  shift 3
  workplace_copy "$directory"
  cd "$directory"
  if ! "${as_tester[@]}" make -j"$(nproc)" PG_CONFIG="$pg_config" "$@" >"$work/build.log" 2>&1; then
    tail -n 30 "$work/build.log" >&2
    die "the build failed; all of it: $work/build.log"
  fi
  "${as_tester[@]}" PG_CONFIG="$pg_config" packaging/server-tree "$tree"
}

workplace_build() { # make's arguments...
  workplace_build_in "$src" "$PG_CONFIG" "$work/tree" "$@"
}

# Neither the caller's locale nor any PG* variable matters to a test. DQDS_REMOTE_INSTALLATION, where it is set, is the
# installation that plays remote servers; LD_LIBRARY_PATH, where it is set, is for the server's programs.
workplace_run() { # [NAME=VALUE...] COMMAND...
  local pgxs_dir
  pgxs_dir=$(cd "$(dirname "$("$PG_CONFIG" --pgxs)")/../.." && pwd) # …/pgxs/src/makefiles/pgxs.mk → …/pgxs
  "${as_tester[@]}" env -i LANG=C.UTF-8 HOME="$work" TMPDIR="$work/tmp" \
    PATH="$bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" \
    PG_CONFIG="$PG_CONFIG" PG_REGRESS="$pgxs_dir/src/test/regress/pg_regress" \
    TESTDIR="$src" TESTDATADIR="$src/tmp_check" TESTLOGDIR="$src/tmp_check/log" PG_TEST_PORT_DIR="$work/ports" \
    DQDS_BRIDGE="$work/tree/usr/local/bin/dqds-bridge" PERL5LIB="$pgxs_dir/src/test/perl:$src/t/lib" \
    ${DQDS_REMOTE_INSTALLATION:+DQDS_REMOTE_INSTALLATION="$DQDS_REMOTE_INSTALLATION"} \
    ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH="$LD_LIBRARY_PATH"} "$@" </dev/null
}

# What a reader who cannot enter $work needs.
workplace_failures() { # DIRECTORY
  local log
  for log in "$1"/regress_log_*; do
    if grep -qE 'not ok [0-9]|Looks like you|exited with|ended by SIG|Bail out' "$log"; then
      printf '\n--- the end of %s\n' "$log" >&2
      tail -n 40 "$log" >&2
    fi
  done
}
