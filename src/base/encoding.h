/*
 * encoding.h
 *		Converts between this database's encoding and that of a remote server that converts nothing.
 */
#ifndef DQDS_ENCODING_H
#define DQDS_ENCODING_H

/* Instead of the number of an encoding: the remote server converts from and to ours. */
#define REMOTE_CONVERTS (-2)

extern int remote_encoding(const char *name);
extern bool remote_can_convert(const char *server_encoding);
extern const char *remote_replacement(void);
extern const char *remote_decode(const char *bytes, int encoding);
extern bool remote_encode(const char *text, int encoding, const char **bytes);

#endif /* DQDS_ENCODING_H */
