# under.sh: how packaging/test runs what it tests under the sanitizers or valgrind. To be sourced, after workplace.sh.
#
# The private installation stays as it is. A directory to be put in front of PATH has a pg_ctl that starts the server by the
# tool, and a dqds-bridge that does so with the bridge. What the tools find goes to files: a test may expect that something
# dies, and must not hide by that why it died.

# under_programs TOOL: after workplace_build; makes these programs and lets the tests use them (under_environment). $reports
# is where reports go.
under_programs() {
  local server bridge under_dir=$work/under
  reports=$work/reports
  mkdir "$under_dir"
  "${as_tester[@]}" mkdir "$reports"
  case $1 in
    sanitize)
      # The server is Debian's, not instrumented: so the libraries must be there before it, in front of what a test
      # preloads. It frees nothing at its end: leaks are looked for in the bridge only.
      server="env $(sanitizer_options server detect_leaks=0:quarantine_size_mb=32) LD_PRELOAD="
      server+="'$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so):$src/packaging/instrument/early.so'"
      server+='"${LD_PRELOAD:+:$LD_PRELOAD}"'
      bridge="env $(sanitizer_options bridge detect_leaks=1)" ;;
    valgrind)
      server="valgrind $(valgrind_options server)"
      bridge="valgrind $(valgrind_options bridge) --track-fds=yes --fair-sched=try --error-exitcode=99" ;;
  esac
  # A server that plays a remote one has no dqds in it (DqdsTest.pm).
  under_script "$under_dir/postgres" "
if [ -n \"\${DQDS_TEST_REMOTE:-}\" ]; then exec '$bin/postgres' \"\$@\"; fi
exec $server '$bin/postgres' \"\$@\""
  under_script "$under_dir/pg_ctl" "exec '$bin/pg_ctl' -p '$under_dir/postgres' \"\$@\""
  under_script "$under_dir/dqds-bridge" "exec $bridge '$work/tree/usr/local/bin/dqds-bridge' \"\$@\""
  under_environment=(DQDS_TEST_UNDER="$1" DQDS_REPORTS="$reports" DQDS_BRIDGE="$under_dir/dqds-bridge")
  bin=$under_dir:$bin
}

under_script() { # FILE COMMANDS
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod 755 "$1"
}

# Blocks that only look lost, from within, are those of threads that run on.
valgrind_options() { # NAME
  printf '%s ' -q "--log-file='$reports/$1.valgrind.%p'" --fullpath-after= --num-callers=60 --error-limit=no \
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
}

# An abort, not an exit: the other backends of a server must not go on with what this one has left in shared memory.
sanitizer_options() { # NAME ASAN_OPTION...
  printf '%s ' "ASAN_OPTIONS='log_path=$reports/$1.asan:abort_on_error=1:allocator_may_return_null=1:detect_stack_use_after_return=1:$2'" \
    "UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1 DQDS_UBSAN_LOG='$reports/$1.ubsan'"
}
