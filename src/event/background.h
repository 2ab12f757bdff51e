/*
 * background.h
 *		Runs library calls that can block in threads.
 */
#ifndef DQDS_BACKGROUND_H
#define DQDS_BACKGROUND_H

typedef struct BackgroundJob BackgroundJob;

/* The purpose of a call; each kind has its own limit of calls that hang. */
typedef enum BackgroundKind
{
	BACKGROUND_RESOLVE,
	BACKGROUND_CANCEL
} BackgroundKind;

#define NUM_BACKGROUND_KINDS (BACKGROUND_CANCEL + 1)

extern void background_start_module(void);
extern bool background_thread(void *(*thread_main)(void *), void *argument);
extern BackgroundJob *background_run(BackgroundKind kind, void (*run)(void *),
									 void (*dispose)(void *), void *argument);
extern bool background_done(BackgroundJob *job);
extern bool background_wait(BackgroundJob *job, int64 deadline_us);
extern void background_release(BackgroundJob *job);
extern void background_acknowledge(void);

#endif /* DQDS_BACKGROUND_H */
