/*
 * syncer - fsync(2), without the loop waiting for it.
 *
 * Interface:
 *   syncer_start, syncer_stop   its thread
 *   syncer_add                  a file that is to be on the disk
 *
 * [off-the-loop] fsync returns when the disk has the file.  128 MiB took it 280 to 770 ms on the disk on which
 * this was measured: in the loop that would be everybody's time.  So a thread of its own does it, one file after
 * the other; pwrite(2) into memory takes 15 us meanwhile.  sync_file_range(2) called from the loop, so as to push
 * the data out in pieces, stopped it for up to 100 ms at a time.  The thread may be given the pieces: synced every
 * 8 MiB while it grows, a file has 20 ms to wait for at its end.
 */
#ifndef SYNCER_H
#define SYNCER_H

struct reactor;

/* How it went, told in the loop: 0, or an errno. */
typedef void syncer_done(void *context, int error);

/* syncer_start - start the thread.  folder: a descriptor, for openat(2).  Returns 0, or -1 with errno. */
int syncer_start(struct reactor *r, int folder);

/* syncer_stop - end it.  Of what has not been told by then nothing is told any more. */
void syncer_stop(void);

/*
 * syncer_add - let a file be on the disk, and then call done(context, error) in the loop.
 *
 * name  of a file in the folder, at most 63 bytes; copied
 * done  NULL: nobody waits for it, and it may as well not be there any more; if it fails, the file is removed
 *
 * Files are synced in the order in which they were added.  Returns 0, or -1 with ENOMEM.
 */
int syncer_add(const char *name, syncer_done *done, void *context);

#endif
