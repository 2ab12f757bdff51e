# dqds: the PostgreSQL extension (src/, sql/) and its HTTP bridge (bridge/).
#
#   make run       a first look: installs what is missing, builds, starts everything privately (PORT=8888)
#   make test      the same on throw-away servers, with all tests (TESTS='t/bridge/020_rest.pl' selects)
#   make test-sanitize  the same tests with both parts under AddressSanitizer and UndefinedBehaviorSanitizer
#   make test-valgrind  the same tests, as far as time allows, with both parts under valgrind
#   make test-remotes   some of them against remote PostgreSQL 10 to 18, downloaded for that (REMOTES='10 18', REMOTES_KEEP=1)
#   make test-servers   all of them in a control server of PostgreSQL 16 to 18, downloaded for that (VERSIONS='16 18', SERVERS_KEEP=1)
#   make test-providers against MySQL, Trino, DuckDB and others that Debian does not have, downloaded for that (PROVIDERS='mysql', PROVIDERS_KEEP=1)
#   make fuzz      a minute each of input that no one would send on purpose, to the bridge (make fuzz-http), as connection
#                  models (fuzz-model), from hostile servers (fuzz-replies) and from a hostile agent (fuzz-agent);
#                  FUZZ_SECONDS=60, see packaging/fuzz
#   make soak      ten minutes of load while something is broken every second (SOAK_SECONDS=600, SOAK_SEED=…)
#   make bench     the figures: each beside a baseline of the same run (BENCH_ONLY, BENCH_ROUNDS, BENCH_JSON)
#   make           builds; WERROR=1 turns on all warnings and makes them errors
#   make install   installs the extension into the server of PG_CONFIG, its documents beside those of the server, and the bridge
#                  into bindir, which is bin below prefix, which is /usr/local (PostgreSQL 18 installs extensions below a prefix
#                  that is given, too); DESTDIR is put before all of them
#   make installcheck  the SQL tests on a server that has the extension and is running (PGHOST, PGPORT)
#
# Objects go into the current directory: make -f DIRECTORY/Makefile builds elsewhere.
#
# run, test and soak work before PostgreSQL's build files are there; everything else is PGXS and needs them.

# Where this file is.
top := $(if $(VPATH),$(VPATH),$(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST)))))
ifneq ($(top),.)
VPATH := $(top)
endif

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
SERVER_INCLUDE := $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)
LIBPQ_INCLUDE := $(shell $(PG_CONFIG) --includedir 2>/dev/null)
LIBPQ_LIB := $(shell $(PG_CONFIG) --libdir 2>/dev/null)

# What is wrong with PG_CONFIG, if anything is.
ifeq ($(PGXS),)
missing = $(PG_CONFIG) is not there or cannot be run
else ifeq ($(wildcard $(PGXS)),)
missing = $(PG_CONFIG) names $(PGXS), which is not there
else ifeq ($(wildcard $(SERVER_INCLUDE)/postgres.h),)
missing = $(PG_CONFIG) names $(SERVER_INCLUDE), where postgres.h is not
endif

# For the bridge. They are not given values here: from 18 on, PGXS installs the extension below prefix, too, if it has one.
ifndef bridgedir
bridgedir := $(or $(bindir),$(or $(prefix),/usr/local)/bin)
endif

# The version stands in one place.
DQDS_VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" '$(top)/dqds.control')

# files: those of this directory that fit a pattern, by their names in it.
files = $(sort $(patsubst $(top)/%,%,$(wildcard $(addprefix $(top)/,$(1)))))

EXTENSION_SOURCES := $(call files,src/*.c src/*/*.c)

BRIDGE_SOURCES = \
	bridge/access.c \
	bridge/address.c \
	bridge/answer.c \
	bridge/bulkhead.c \
	bridge/call.c \
	bridge/caller.c \
	bridge/control.c \
	bridge/control_open.c \
	bridge/descriptor.c \
	bridge/error.c \
	bridge/framing.c \
	bridge/health.c \
	bridge/http.c \
	bridge/http_server.c \
	bridge/log.c \
	bridge/main.c \
	bridge/options.c \
	bridge/parameters.c \
	bridge/pool.c \
	bridge/router.c \
	bridge/routes.c \
	bridge/seats.c \
	bridge/serve.c \
	bridge/statements.c \
	bridge/text.c \
	bridge/watchdog.c

# The agent, and a module of it for each family of client libraries that is there.
AGENT = agent/dqds-agent
AGENT_SOURCES := $(call files,agent/*.c)
AGENT_MODULES := $(foreach library,mysql:libmariadb http:libcurl+jansson duckdb:jansson odbc:odbc,\
	$(if $(shell pkg-config --exists $(subst +, ,$(word 2,$(subst :, ,$(library)))) 2>/dev/null && echo yes),$(firstword $(subst :, ,$(library)))))
AGENT_MODULE_FILES = $(AGENT_MODULES:%=agent/dqds-agent-%.so)
AGENT_MODULE_SOURCES := $(foreach module,$(AGENT_MODULES),$(call files,agent/$(module)/*.c))
AGENT_OBJS = $(AGENT_SOURCES:.c=.o) $(AGENT_MODULE_SOURCES:.c=.o)

REGRESS = setup model secrets registry privileges listing import
# Whatever the server's own databases are in.
REGRESS_OPTS = --encoding=UTF8 --no-locale

BRIDGE = bridge/dqds-bridge
BRIDGE_OBJS = $(BRIDGE_SOURCES:.c=.o)

ifndef missing

# --- The extension, by PGXS ---------------------------------------------------------------------

EXTENSION = dqds
MODULE_big = dqds
OBJS = $(EXTENSION_SOURCES:.c=.o)
DATA = $(call files,sql/dqds--*.sql)
EXTRA_CLEAN = $(BRIDGE) $(BRIDGE_OBJS) $(AGENT) $(AGENT_OBJS) $(AGENT_MODULE_FILES) fuzz/build

# What `make test-sanitize` and `make test-valgrind` build, in a copy of this directory: objects of different builds do not
# mix. Fortified functions hide from both what they do; PostgreSQL's -fwrapv would declare signed overflow to be right; and
# instrumented functions that are inlined into one that calls itself would use up the stack.
ifneq ($(INSTRUMENT),)
INSTRUMENT_CFLAGS = -U_FORTIFY_SOURCE -O1 -fno-inline -fno-omit-frame-pointer
INSTRUMENT_OBJS = packaging/instrument/canary.o $(if $(SANITIZERS),packaging/instrument/ubsan_log.o)
OBJS += packaging/instrument/checked_palloc.o $(INSTRUMENT_OBJS)
BRIDGE_OBJS += $(INSTRUMENT_OBJS)
endif
ifeq ($(INSTRUMENT),sanitize)
SANITIZERS = -fsanitize=address,undefined,float-divide-by-zero,float-cast-overflow -fno-sanitize-recover=all
SANITIZER_EARLY = packaging/instrument/early.so
INSTRUMENT_CFLAGS += -fno-wrapv $(SANITIZERS)
endif

# System headers (-isystem) are not ours to mend: they raise no warning.
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wduplicated-cond -Wlogical-op \
	-Wno-unused-parameter -Wno-missing-field-initializers -Werror

PG_CPPFLAGS = -I$(top)/src -I$(libpq_srcdir) -DDQDS_VERSION='"$(DQDS_VERSION)"' \
	$(if $(WERROR),-isystem $(SERVER_INCLUDE) -isystem $(LIBPQ_INCLUDE))
# PostgreSQL compares int with lengthof(), a size_t, everywhere.
PG_CFLAGS = $(if $(WERROR),$(WARNINGS) -Wno-sign-compare)
SHLIB_LINK = $(libpq) -lssl -lcrypto -lpthread $(SANITIZERS)

# Bitcode for the JIT would double the build: these functions wait for networks and are never inlined.
override with_llvm := no

# What the caller says, by the environment or the command line, counts for the bridge; PGXS has its own use for these names.
CALLER_CPPFLAGS := $(CPPFLAGS)
CALLER_CFLAGS := $(CFLAGS)
CALLER_LDFLAGS := $(LDFLAGS)

include $(PGXS)

override CPPFLAGS += $(INSTRUMENT_CFLAGS)

# --- The bridge: a program of its own, without the server's flags and headers -------------------

BRIDGE_CFLAGS = -std=gnu11 -Wall -pthread \
	$(or $(CALLER_CFLAGS),-O2 -g -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	$(if $(WERROR),-isystem $(LIBPQ_INCLUDE) $(WARNINGS)) \
	-I$(LIBPQ_INCLUDE) $(CALLER_CPPFLAGS) -DDQDS_VERSION='"$(DQDS_VERSION)"' $(INSTRUMENT_CFLAGS)

# The library is the one whose headers are used, and is found at run time where the server's own programs find theirs.
BRIDGE_LDFLAGS = -pthread -Wl,-z,relro,-z,now $(CALLER_LDFLAGS) -L$(LIBPQ_LIB) $(if $(filter yes,$(enable_rpath)),$(rpath))

all: $(BRIDGE) $(SANITIZER_EARLY)

packaging/instrument/early.so: packaging/instrument/early.c
	$(CC) -shared -fPIC -Wl,-z,initfirst -o $@ $<

$(BRIDGE): $(BRIDGE_OBJS)
	$(CC) $(BRIDGE_LDFLAGS) -o $@ $(BRIDGE_OBJS) -lcivetweb -lcrypto -lpq $(SANITIZERS)

$(BRIDGE_SOURCES:.c=.o): bridge/%.o: bridge/%.c
	$(CC) $(BRIDGE_CFLAGS) -c -o $@ $<

# --- The agent: a program that dqds.so finds beside itself, and its modules beside it ------------------------------------

AGENT_CFLAGS = -std=gnu11 -Wall -pthread -fPIC \
	$(or $(CALLER_CFLAGS),-O2 -g -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	$(if $(WERROR),$(WARNINGS)) -I$(top)/agent -I$(top)/src $(CALLER_CPPFLAGS) -DDQDS_VERSION='"$(DQDS_VERSION)"' $(INSTRUMENT_CFLAGS)
AGENT_LDFLAGS = -pthread -Wl,-z,relro,-z,now $(CALLER_LDFLAGS)
mysql_libraries = libmariadb
http_libraries = libcurl jansson
duckdb_libraries = jansson
odbc_libraries = odbc

all: $(AGENT) $(AGENT_MODULE_FILES)

# What modules and the libraries behind them use of the program, or find in it before their own, has to be visible.
$(AGENT): $(AGENT_SOURCES:.c=.o)
	$(CC) $(AGENT_LDFLAGS) -rdynamic -o $@ $^ -ldl -lssl -lcrypto $(SANITIZERS)

$(AGENT_SOURCES:.c=.o): agent/%.o: agent/%.c
	$(CC) $(AGENT_CFLAGS) -c -o $@ $<

define agent_module
agent/dqds-agent-$(1).so: $(patsubst %.c,%.o,$(call files,agent/$(1)/*.c))
	$$(CC) $$(AGENT_LDFLAGS) -shared -o $$@ $$^ $$(shell pkg-config --libs $$($(1)_libraries)) $$(SANITIZERS)

$(patsubst %.c,%.o,$(call files,agent/$(1)/*.c)): agent/$(1)/%.o: agent/$(1)/%.c
	$$(CC) $$(AGENT_CFLAGS) $$(patsubst -I%,-isystem %,$$(shell pkg-config --cflags $$($(1)_libraries))) -c -o $$@ $$<
endef
$(foreach module,$(AGENT_MODULES),$(eval $(call agent_module,$(module))))

# Coarse, but never wrong: after a change of a header or a flag everything is compiled again.
$(OBJS): $(call files,src/*.h src/*/*.h) Makefile dqds.control
$(BRIDGE_OBJS): $(call files,bridge/*.h) src/base/error_codes.h Makefile dqds.control
$(AGENT_OBJS): $(call files,agent/*.h agent/*/*.h src/agent/*.h src/wire/question.h) Makefile dqds.control

# Where the objects go, if that is not where the sources are. (As a target, a directory would be found beside the sources.)
ifneq ($(top),.)
$(shell mkdir -p $(sort $(dir $(OBJS) $(BRIDGE_OBJS) $(AGENT_OBJS)) packaging/instrument))
endif

include $(top)/fuzz/fuzz.mk

install: install-bridge install-agent install-docs
uninstall: uninstall-bridge uninstall-agent uninstall-docs

.PHONY: install-bridge uninstall-bridge install-agent uninstall-agent install-docs uninstall-docs
install-agent: $(AGENT) $(AGENT_MODULE_FILES)
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_PROGRAM) $(AGENT) $(AGENT_MODULE_FILES) '$(DESTDIR)$(pkglibdir)/'

uninstall-agent:
	rm -f $(patsubst agent/%,'$(DESTDIR)$(pkglibdir)/%',$(AGENT) $(AGENT_MODULE_FILES))

install-bridge: $(BRIDGE)
	$(MKDIR_P) '$(DESTDIR)$(bridgedir)'
	$(INSTALL_PROGRAM) $(BRIDGE) '$(DESTDIR)$(bridgedir)/'

uninstall-bridge:
	rm -f '$(DESTDIR)$(bridgedir)/$(notdir $(BRIDGE))'

# They refer to each other by their places, and other extensions have a README.md, too.
DOCUMENTS = $(call files,README.md doc/*.md)
DOCUMENTS_DIR = $(DESTDIR)$(docdir)/extension/dqds

install-docs:
	$(MKDIR_P) '$(DOCUMENTS_DIR)/doc'
	$(INSTALL_DATA) '$(top)/README.md' '$(DOCUMENTS_DIR)/'
	$(INSTALL_DATA) $(addprefix $(top)/,$(filter doc/%,$(DOCUMENTS))) '$(DOCUMENTS_DIR)/doc/'

uninstall-docs:
	rm -f $(DOCUMENTS:%='$(DOCUMENTS_DIR)/%')

else # nothing to build with

.PHONY: all install uninstall installcheck clean
all install uninstall installcheck:
	@echo "dqds: $(missing); set PG_CONFIG, or install what is missing by: packaging/install-packages run" >&2
	@exit 1

clean:

endif

# --- What needs nothing but make ------------------------------------------------------------------

.PHONY: run test test-sanitize test-valgrind fuzz fuzz-agent fuzz-http fuzz-model fuzz-replies test-remotes test-servers test-providers soak bench format clean-run
run:
	@'$(top)'/packaging/run

test:
	@'$(top)'/packaging/test

test-sanitize test-valgrind:
	@TEST_UNDER=$(@:test-%=%) '$(top)'/packaging/test

fuzz:
	@'$(top)'/packaging/fuzz

fuzz-agent fuzz-http fuzz-model fuzz-replies:
	@'$(top)'/packaging/fuzz $(@:fuzz-%=%)

test-remotes:
	@'$(top)'/packaging/test-remotes

test-servers:
	@'$(top)'/packaging/test-servers

test-providers:
	@'$(top)'/packaging/test-providers

# One test file, which takes a minute or two longer than its load.
soak: SOAK_SECONDS ?= 600
soak:
	@TESTS=t/bridge/060_soak.pl TEST_FILE_TIMEOUT=$$(($(SOAK_SECONDS) + 600)) SOAK_SECONDS=$(SOAK_SECONDS) SOAK_SEED=$(SOAK_SEED) '$(top)'/packaging/test

bench:
	@'$(top)'/packaging/bench

clean: clean-run
clean-run:
	@'$(top)'/packaging/run --clean
	@rm -rf '$(top)/.remotes' '$(top)/.servers' '$(top)/.providers'

format:
	cd '$(top)' && clang-format -i $(call files,src/*.[ch] src/*/*.[ch] bridge/*.[ch] agent/*.[ch] agent/*/*.[ch] bench/*.c t/wire/*.[ch] packaging/instrument/*.[ch] fuzz/*.[ch])
