/*
 * libpq_link.c
 *		What the files of the libpq wire share.
 */
#include "postgres.h"

#include "base/failure.h"
#include "model/target.h"
#include "postgres/failure_postgres.h"
#include "postgres/libpq_link.h"
#include "wire/failure_common.h"

/* Note that libpq has allocated so many bytes, or, negative, has freed them; returns them. */
int64
libpq_count_heap(LibpqLink *link, int64 taken)
{
	link->heap_bytes += taken;
	if (link->logged_in)
		link->kept_bytes += taken;
	return taken;
}

/*
 * Notifications would pile up in libpq until they are taken, and a hostile server
 * can send millions.  Before the login has come that far, looking for them would
 * disturb libpq.
 */
void
libpq_drop_notifications(PGconn *conn)
{
	PGnotify *notification;

	if (PQstatus(conn) != CONNECTION_AUTH_OK && PQstatus(conn) != CONNECTION_OK)
		return;
	while ((notification = PQnotifies(conn)) != NULL)
		PQfreemem(notification);
}

/* How far the login has come. */
ConnectStage
libpq_stage(const PGconn *conn)
{
	switch (PQstatus(conn))
	{
		case CONNECTION_STARTED:
			return STAGE_TCP;
		case CONNECTION_SSL_STARTUP:
			return STAGE_TLS;
		default:
			return STAGE_STARTUP;
	}
}

/* What libpq says of a login that failed, and what that means for the other addresses. */
LoginStatus
libpq_explain_login(const LibpqLink *link, Failure *failure)
{
	const Target *target = link->common.target;
	LoginEvidence evidence = {.stage = link->common.stage,
							  .asked_password = link->guard.asked_password,
							  .certificate = &link->certificate};

	if (PQconnectionNeedsPassword(link->conn) && target->password == NULL)
	{
		failure_common(target, FAILED_PASSWORD_MISSING, NULL, failure);
		return LOGIN_REFUSED;
	}
	return diagnose_connect(target, &evidence, PQerrorMessage(link->conn), failure);
}
