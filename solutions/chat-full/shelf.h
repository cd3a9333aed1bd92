/*
 * shelf - the folder of downloads, which nothing leaves and nothing in it is lost.
 *
 * Interface:
 *   shelf_open, shelf_close        the folder
 *   shelf_name                     a stranger's name made safe
 *   shelf_part, shelf_drop         a file while it comes, under its id
 *   shelf_note, shelf_recall       what is known of it, for another day
 *   shelf_keep                     it is whole: under its own name
 *
 * A stranger chose the name and somebody may have been at the folder before us.  So every file is
 * opened relative to the folder's descriptor, under a name without a slash, and never through a
 * symbolic link; and the last step is one system call that fails, and changes nothing, if the name
 * is taken.
 *
 * Functions that can fail return -1 with errno.
 */
#ifndef SHELF_H
#define SHELF_H

#include "catalogue.h"

#include <stddef.h>

enum { SHELF_NAME_SIZE = 256 /* NAME_MAX and a final 0 */ };

/* shelf_open - open the folder, made with mode 0700 if it is not there; nothing if it is open. */
int shelf_open(const char *folder);
void shelf_close(void);

/*
 * shelf_name - make a name that is harmless: what stands behind the last slash, without leading
 * dots, dashes and blanks; what nobody sees or what directs a terminal, as control characters and
 * bidirectional overrides, is "_".  At most SHELF_NAME_SIZE - 1 bytes and no character cut; never
 * empty.
 */
void shelf_name(const char *name, char safe[SHELF_NAME_SIZE]);

/* shelf_part - open what there is of a file by now, or an empty one.  EBUSY: another client writes
 * it; EEXIST: under its name stands what is no file of ours. */
int shelf_part(const char *id);
void shelf_drop(const char *id);

/* shelf_note - write down what has been announced of a file, for shelf_recall after a restart.  It
 * is no harm if that fails. */
void shelf_note(const struct announced *a);
bool shelf_recall(struct announced *a, const char *id);

/*
 * shelf_keep - give the file that shelf_part has opened its name: the stranger's made safe, with
 * " (1)" and so on if that is taken.  kept gets the name.
 */
int shelf_keep(const char *id, int fd, const char *name, char kept[SHELF_NAME_SIZE]);

#endif
