/*
 * diagnosis_words.h
 *		What a diagnosis says of a remote in the words of its kind.
 */
#ifndef DQDS_DIAGNOSIS_WORDS_H
#define DQDS_DIAGNOSIS_WORDS_H

typedef struct Target Target;

typedef enum DiagnosisWords
{
	WORDS_PRIMARY,       /* what a server is that takes changes, */
	WORDS_STANDBY,       /* and one that does not */
	WORDS_DIRECT,        /* how it was reached: it was proven that there is nothing between, */
	WORDS_INDIRECT,      /* or that was not proven */
	WORDS_NOT_ENCRYPTED, /* hints: how to get TLS, */
	WORDS_NO_SCHEMAS,    /* how to let the user into a schema, */
	WORDS_NO_TABLES      /* and read tables */
} DiagnosisWords;

extern const char *diagnosis_words(const Target *target, DiagnosisWords which);

#endif /* DQDS_DIAGNOSIS_WORDS_H */
