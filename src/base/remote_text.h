/*
 * remote_text.h
 *		Makes text from outside safe to store, log and show.
 */
#ifndef DQDS_REMOTE_TEXT_H
#define DQDS_REMOTE_TEXT_H

extern const char *remote_text(const char *value);
extern const char *visible_text(const char *text);
extern char *remote_line(const char *value);

#endif /* DQDS_REMOTE_TEXT_H */
