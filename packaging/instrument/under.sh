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
if [ -n \"\${DQDS_TEST_REMOTE:-}\" ] || [ \"\${DQDS_UNDER_ONLY:-}\" = bridge ]; then exec '$bin/postgres' \"\$@\"; fi
exec $server '$bin/postgres' \"\$@\""
  under_script "$under_dir/pg_ctl" "exec '$bin/pg_ctl' -p '$under_dir/postgres' \"\$@\""
  under_script "$under_dir/dqds-bridge" "
if [ \"\${DQDS_UNDER_ONLY:-}\" = server ]; then exec '$work/tree/usr/local/bin/dqds-bridge' \"\$@\"; fi
exec $bridge '$work/tree/usr/local/bin/dqds-bridge' \"\$@\""
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

# --- What valgrind gets to see when no TESTS are chosen ---------------------------------------------------------------
# It makes programs 20 to 50 times slower: so either the bridge or the servers, each in the tests that have most to do with
# it. Left out for the bridge: 023, 025, 060 (more of the same, for long) and 054 (limits of nginx in seconds). Left out for
# the servers: all that have a bridge, which gives the control database 80 ms and a few seconds; 030, 034, 052 (deadlines of
# less than a backend needs to start there); 032, 040, 042 to 044, 046 (thousands of calls, or SQL rather than C).
valgrind_for_bridge='020_rest 021_http_hostile 022_bridge_life 024_rest_standby 026_bridge_options 050_tokens'
valgrind_for_servers='001_regress 033_reuse 035_parallel 038_tls 041_pg_cron 045_untrusted_answers'
