/*
 * protocol.h
 *		What a backend and the agent say to each other.
 *
 * The agent, dqds-agent, runs the client libraries that do not belong into a backend.  The
 * backend starts it once, as a fork server, and talks to that over a control socket
 * (SOCK_SEQPACKET).  For each remote session the fork server makes one process, which is
 * given one end of a stream socket and speaks frames over it.
 *
 * Included by the extension and by the agent, so it must not include headers of PostgreSQL.
 * Both run on one machine: numbers are in its own byte order.
 */
#ifndef DQDS_AGENT_PROTOCOL_H
#define DQDS_AGENT_PROTOCOL_H

#include <stdint.h>

/* Raised when anything below changes: both come from one build, but an old agent may be left. */
#define AGENT_PROTOCOL "1"

/* The descriptor at which a fork server finds its control socket. */
#define AGENT_CONTROL_FD 3

/*
 * Control messages, from the backend.  START has a descriptor with it, the session's end of
 * its socket, and is followed by the name of a provider.  START_CHECKED is the same for a
 * session that checks certificates, with the file of roots that the fork server was started
 * with.  END names a process that the backend has no use for any more: it has been told by the
 * end of its socket, and is killed if it is still there after END_PATIENCE_MS.
 */
#define CONTROL_START         'S'
#define CONTROL_START_CHECKED 'R'
#define CONTROL_END           'E'
#define CONTROL_BYTES         64 /* the longest message */
#define END_PATIENCE_MS       2000

typedef struct ControlEnd
{
	char type; /* CONTROL_END */
	int32_t pid;
} ControlEnd;

/* The head of a frame; its payload follows. */
typedef struct FrameHead
{
	uint32_t length; /* of the payload */
	char type;
	char unused[3];
} FrameHead;

/*
 * Frames to the agent.  The payload of LOGIN is members: name and value after each other, each
 * ended by a zero byte.  ASK is an AskHead and its values.  CANCEL has no payload.  The end of
 * the stream has the remote end what it was asked, and then the process.
 */
#define FRAME_LOGIN  'L'
#define FRAME_ASK    'Q'
#define FRAME_CANCEL 'C'

/*
 * Frames from the agent.  HELLO comes first, once; STAGE, any number of times, tells how far a
 * login has come, and READY that it is complete; ROWS, any number of times, and DONE are an
 * answer; FAULT is in place of READY or DONE.  Payloads are members, but those of ROWS: a
 * uint16_t, the number of values in a row, and the values of whole rows: each a uint32_t, its
 * length, or NO_VALUE, and its bytes, which are UTF-8, and a zero byte.
 */
#define FRAME_HELLO 'H'
#define FRAME_STAGE 'S'
#define FRAME_READY 'I'
#define FRAME_ROWS  'R'
#define FRAME_DONE  'D'
#define FRAME_FAULT 'F'

#define NO_VALUE        UINT32_MAX
#define ROWS_FRAME_SIZE (64 * 1024)   /* about; a frame with a longer row has only that one */
#define MAX_ROW_BYTES   (1024 * 1024) /* of its values */
#define MAX_FRAME_BYTES (MAX_ROW_BYTES + 4096)
#define MAX_ASK_VALUES  6

/* Of a payload to the agent: a model may have 1 MB, and so may the name of a schema. */
#define MAX_INCOMING_BYTES (2 * 1024 * 1024)

/* The values follow, each as in ROWS. */
typedef struct AskHead
{
	uint32_t question; /* wire/question.h */
	uint32_t timeout_ms;
} AskHead;

/* Members of LOGIN; each parameter of the target is one as well, by its keyword. */
#define LOGIN_PROVIDER   "provider"
#define LOGIN_HOST       "host"    /* as in the model: certificates are for this name */
#define LOGIN_ADDRESS    "address" /* the one that may be connected to, for this host; missing: none */
#define LOGIN_PORT       "port"
#define LOGIN_DATABASE   "database"
#define LOGIN_USER       "user"
#define LOGIN_PASSWORD   "password"
#define LOGIN_TLS        "tls" /* a TlsDemand, as a number */
#define LOGIN_ROOTS      "roots"
#define LOGIN_TIMEOUT_MS "timeout_ms"
#define LOGIN_CLEARTEXT  "cleartext" /* there if the password may be sent without TLS */
#define LOGIN_PROVE      "prove" /* there if the server must let no one in without the password */

/* Of a provider that reads files of this machine: the values of settings. */
#define LOGIN_LIBRARY     "library"     /* dqds.duckdb_library */
#define LOGIN_ALLOWED     "allowed"     /* dqds.duckdb_directories */
#define LOGIN_DIRECTORIES "directories" /* a parameter: a JSON object of names and paths */
#define LOGIN_FORMAT      "files_format_type"
/* Of a provider that is reached through ODBC, where the setting dqds.odbc_drivers names them. */
#define LOGIN_DRIVER      "driver"      /* its file */
#define LOGIN_DRIVER_FORM "driver_form" /* the form of its connection strings */

/* What is demanded of TLS, from nothing to all. */
typedef enum TlsDemand
{
	TLS_NONE,      /* not even if it is offered */
	TLS_OFFERED,   /* if it is offered */
	TLS_ENCRYPTED, /* any certificate will do */
	TLS_KNOWN_CA,  /* it must be trusted */
	TLS_VERIFIED   /* and be for this host */
} TlsDemand;

/* Members of HELLO. */
#define HELLO_PROTOCOL "protocol"
#define HELLO_PID      "pid"

/* Members of STAGE, READY and FAULT. */
#define STAGE_REACHED      "stage" /* a letter: */
#define STAGE_IS_CONNECTED "c"     /* TCP */
#define STAGE_IS_ENCRYPTED "e"     /* the handshake of TLS, with the members below */
#define STAGE_IS_SPOKEN    "s"     /* the server has begun with the login */
#define FACT_VERSION       "version"
#define FACT_PASSWORD_USED "password_used" /* there if it was asked for and right */
#define FACT_TLS           "tls"           /* the protocol; missing without TLS */
#define FACT_CIPHER        "cipher"
#define FACT_SUBJECT       "subject"
#define FACT_NAMES         "names"
#define FACT_ISSUER        "issuer"
#define FACT_EXPIRES       "expires"
#define FACT_EXPIRED       "expired" /* there if it has */
#define FAULT_KIND         "kind"    /* one of the words below */
#define FAULT_NUMBER       "number"
#define FAULT_STATE        "state" /* an SQLSTATE, or the name of an error */
#define FAULT_TEXT         "text"
#define FAULT_KEEPS        "keeps" /* there if more can be asked over the link */

/* Kinds of faults. */
#define FAULT_IS_NETWORK     "network" /* number: errno */
#define FAULT_IS_TLS         "tls"     /* a handshake that failed; text: what the library says */
#define FAULT_IS_CERTIFICATE "certificate" /* number: X509_V_ERR_... */
#define FAULT_IS_NO_TLS      "no tls"      /* it is demanded, and the server has none */
#define FAULT_IS_CLEARTEXT   "cleartext"   /* the server wants the password without TLS */
#define FAULT_IS_KIND        "wrong kind"  /* what answers is no server of this provider */
#define FAULT_IS_SERVER      "server"      /* number, state and text are the server's */
#define FAULT_IS_LOST        "lost"        /* the connection has ended */
#define FAULT_IS_BOUND       "bound" /* the answer is beyond a bound; text: which, our words */
#define FAULT_IS_FILE        "file"  /* a file or directory; number: errno; text: which, and why */
#define FAULT_IS_MODEL       "model" /* the connection cannot be used so; text: our words */
#define FAULT_IS_PASSWORD    "password" /* one is needed; text: what is wanted, our words, or none */
#define FAULT_IS_DRIVER      "driver"   /* it is not there; text: why, our words */
#define FAULT_IS_CAPACITY    "capacity" /* no process or memory is left */

#endif /* DQDS_AGENT_PROTOCOL_H */
