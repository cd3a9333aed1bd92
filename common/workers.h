/*
 * workers - a fixed set of processes, each replaced when it dies: lesson 08's supervisor, once it
 * has been taught.
 */
#ifndef WORKERS_H
#define WORKERS_H

/*
 * workers_run - fork `count` workers, keep every place filled, and stop them all on SIGINT or SIGTERM.
 *
 * work     what a worker runs, with its number from 0; it should not return, and ends its process
 *          with status 0 if it does.  SIGINT and SIGTERM kill it, and so does the parent's death.
 * started  called once, in the parent, when all have been forked; or NULL
 * context  passed to both
 *
 * Returns when the signal has come and no worker is left.  Deaths are reported with server_report.
 */
void workers_run(unsigned long count, void (*work)(unsigned long number, void *context),
                 void (*started)(void *context), void *context);

#endif
