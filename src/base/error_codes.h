/*
 * error_codes.h
 *		The list of the ways in which a remote data source can fail.
 *
 * Included by the extension (which raises the SQLSTATE) and by the bridge
 * (which turns the SQLSTATE back into the name).  Each X() entry gives the
 * symbol, the SQLSTATE of the private class QD, and the name that users see as
 * error_code in SQL and errorCode over REST.  Numbers are never reused, because
 * other programs test for them.
 *
 * It must not include anything: the bridge has no server headers.
 */
#ifndef DQDS_ERROR_CODES_H
#define DQDS_ERROR_CODES_H

/* clang-format off */
#define DQDS_ERROR_CODES(X) \
	X(DQDS_HOST_NOT_FOUND,        "QD001", "host_not_found") \
	X(DQDS_CONNECTION_REFUSED,    "QD002", "connection_refused") \
	X(DQDS_UNREACHABLE,           "QD003", "unreachable") \
	X(DQDS_SERVER_SILENT,         "QD004", "server_silent") \
	X(DQDS_NOT_POSTGRES,          "QD005", "not_postgres") \
	X(DQDS_TLS_FAILED,            "QD006", "tls_failed") \
	X(DQDS_TLS_CERTIFICATE,       "QD007", "tls_certificate") \
	X(DQDS_PASSWORD_REQUIRED,     "QD008", "password_required") \
	X(DQDS_AUTHENTICATION_FAILED, "QD009", "authentication_failed") \
	X(DQDS_LOGIN_NOT_ALLOWED,     "QD010", "login_not_allowed") \
	X(DQDS_DATABASE_NOT_FOUND,    "QD011", "database_not_found") \
	X(DQDS_PERMISSION_DENIED,     "QD012", "permission_denied") \
	X(DQDS_TOO_MANY_CONNECTIONS,  "QD013", "too_many_connections") \
	X(DQDS_SERVER_STARTING,       "QD014", "server_starting") \
	X(DQDS_TIMEOUT,               "QD015", "timeout") \
	X(DQDS_CANCELLED,             "QD016", "cancelled") \
	X(DQDS_CONNECTION_LOST,       "QD017", "connection_lost") \
	X(DQDS_TARGET_NOT_ALLOWED,    "QD018", "target_not_allowed") \
	X(DQDS_UNSUPPORTED_PROVIDER,  "QD019", "unsupported_provider") \
	X(DQDS_INVALID_CONNECTION,    "QD020", "invalid_connection") \
	X(DQDS_UNRESOLVED_SECRET,     "QD021", "unresolved_secret") \
	X(DQDS_BUSY,                  "QD022", "busy") \
	X(DQDS_REMOTE_ERROR,          "QD023", "remote_error") \
	X(DQDS_WRONG_SERVER,          "QD024", "wrong_server")
/* clang-format on */

typedef enum DqdsErrorCode
{
	DQDS_OK = 0,
#define DQDS_ENUM_MEMBER(symbol, sqlstate, name) symbol,
	DQDS_ERROR_CODES(DQDS_ENUM_MEMBER)
#undef DQDS_ENUM_MEMBER
} DqdsErrorCode;

#endif /* DQDS_ERROR_CODES_H */
