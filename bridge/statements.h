/*
 * statements.h
 *		The SQL that the bridge runs besides that of the routes.
 */
#ifndef BRIDGE_STATEMENTS_H
#define BRIDGE_STATEMENTS_H

#include "statement.h"

/* How many of them are prepared, each at most once on a connection. */
#define BRIDGE_STATEMENTS 4

/*
 * Takes on the role of a token, by its hash ($1), and a time limit in
 * milliseconds ($2), until the transaction ends.  $3: the login role may be a
 * superuser; unless it is true, that is an error.
 */
extern const Statement statement_take_token_role;

/* Likewise a role by its name ($1).  $3: that role and the login role may be superusers. */
extern const Statement statement_take_role;

/* Does nothing, for calls whose role is all that matters. */
extern const Statement statement_nothing;

/* What the role lacks for the function $1, as text, with its name if $2 is true; NULL: no level. */
extern const Statement statement_missing_level;

/* Sent first on a new connection, before any name is looked up. */
extern const char sql_bind_names[];

/* The search_path that must be in force behind it. */
extern const char search_path_wanted[];

/* Asks about the login role, the role $2 and the extension; $1 is the session's time limit. */
extern const char sql_set_up[];

#endif /* BRIDGE_STATEMENTS_H */
