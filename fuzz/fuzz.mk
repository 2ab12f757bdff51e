# fuzz.mk: builds the fuzz targets, with the clang that the server's build files name. A part of the Makefile.
#
#   fuzz/build/dqds.so  the extension, libFuzzer and the targets that run in a server (agent, model, replies)
#   fuzz/build/http     the bridge, libFuzzer and its target
#
# Only the project's own code is instrumented for libFuzzer and counted for the coverage.

FUZZ_SANITIZERS = -fsanitize=address,undefined,float-divide-by-zero,float-cast-overflow -fno-sanitize-recover=all
FUZZ_CFLAGS = -g -O1 -Wall -Wno-sign-compare -Wno-ignored-attributes -fno-omit-frame-pointer -fno-strict-aliasing \
	-pthread $(FUZZ_SANITIZERS) -Isrc -isystem $(SERVER_INCLUDE) -isystem $(LIBPQ_INCLUDE) -DDQDS_VERSION='"$(DQDS_VERSION)"'
FUZZ_OWN = -fsanitize=fuzzer-no-link -fprofile-instr-generate -fcoverage-mapping

# libFuzzer without a main(). Its functions, and not those of the same name in AddressSanitizer, are to be called
# (-Bsymbolic), and it is to see what is compared (fuzz/compare.c).
FUZZ_DRIVER = $(shell $(CLANG) -print-file-name=libclang_rt.fuzzer_no_main-$(shell uname -m).a) -lstdc++ -lm \
	-Wl,-Bsymbolic $(foreach f,strcmp strncmp strcasecmp strncasecmp memcmp strstr,-Wl,--wrap=$(f))

FUZZ_SERVER_OBJS = $(EXTENSION_SOURCES:%.c=fuzz/build/%.o) $(addprefix fuzz/build/, \
	agent.o backend.o checked_palloc.o compare.o hostile_agent.o hostile_server.o messages.o messages_agent.o \
	messages_postgres.o model.o questions.o replies.o require.o)

# The sessions of the agent are the target's (fuzz/agent.c).
FUZZ_NO_AGENT = -Wl,--wrap=agent_start_session
FUZZ_HTTP_OBJS = $(BRIDGE_SOURCES:%.c=fuzz/build/%.o) $(addprefix fuzz/build/, \
	http.o http_answer.o http_request.o require.o)

.PHONY: fuzz-build
fuzz-build: fuzz/build/dqds.so fuzz/build/http packaging/instrument/early.so

fuzz/build/dqds.so: $(FUZZ_SERVER_OBJS)
	$(CLANG) -shared -shared-libasan $(FUZZ_SANITIZERS) -fprofile-instr-generate -o $@ $^ $(FUZZ_DRIVER) $(FUZZ_NO_AGENT) \
		$(libpq) -lssl -lcrypto -lpthread

fuzz/build/http: $(FUZZ_HTTP_OBJS)
	$(CLANG) $(FUZZ_SANITIZERS) -fsanitize=fuzzer -fprofile-instr-generate -o $@ $^ -lcivetweb -lcrypto -lpq -lpthread

fuzz/build/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CLANG) -fPIC -D_GNU_SOURCE $(FUZZ_CFLAGS) $(FUZZ_OWN) -c -o $@ $<

# Its main() is called by the target's.
fuzz/build/bridge/main.o: FUZZ_OWN += -Dmain=bridge_main

fuzz/build/bridge/%.o: bridge/%.c
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 $(FUZZ_CFLAGS) $(FUZZ_OWN) -c -o $@ $<

# The functions that report comparisons to libFuzzer must not be replaced themselves.
fuzz/build/compare.o: FUZZ_SANITIZERS = -fno-builtin

fuzz/build/%.o: fuzz/%.c
	@mkdir -p $(@D)
	$(CLANG) -fPIC -D_GNU_SOURCE $(FUZZ_CFLAGS) -c -o $@ $<

fuzz/build/%.o: packaging/instrument/%.c
	@mkdir -p $(@D)
	$(CLANG) -fPIC -D_GNU_SOURCE -D__SANITIZE_ADDRESS__=1 $(FUZZ_CFLAGS) -c -o $@ $<

$(FUZZ_SERVER_OBJS) $(FUZZ_HTTP_OBJS): $(wildcard src/*.h src/*/*.h bridge/*.h fuzz/*.h) fuzz/fuzz.mk Makefile dqds.control
