/*
 * encoding.h
 *		Text of a remote that converts nothing, turned into this database's encoding and back.
 */
#ifndef DQDS_ENCODING_H
#define DQDS_ENCODING_H

/* In place of an encoding's number: the remote converts, from and to ours. */
#define REMOTE_CONVERTS (-2)

extern int remote_encoding(const char *name);
extern bool remote_can_convert(const char *server_encoding);
extern const char *remote_replacement(void);
extern const char *remote_decode(const char *bytes, int encoding);
extern bool remote_encode(const char *text, int encoding, const char **bytes);

#endif /* DQDS_ENCODING_H */
