/*
 * privileges.h
 *		Grants privileges on objects of the extension to roles, and revokes them.
 */
#ifndef DQDS_PRIVILEGES_H
#define DQDS_PRIVILEGES_H

typedef enum Privilege
{
	PRIVILEGE_EXECUTE, /* on functions */
	PRIVILEGE_SELECT,  /* on views */
	PRIVILEGE_USAGE    /* on schemas */
} Privilege;

typedef enum PrivilegesLock
{
	PRIVILEGES_OF_LEVELS,
	PRIVILEGES_OF_ENROLMENT
} PrivilegesLock;

extern void privileges_change(Privilege privilege, const Oid *objects, int count, Oid role,
							  bool granted);
extern bool privileges_lock(PrivilegesLock lock, bool wait);

#endif /* DQDS_PRIVILEGES_H */
