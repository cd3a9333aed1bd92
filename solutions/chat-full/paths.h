/*
 * paths - the files that a user names.
 *
 * Interface:
 *   paths_word      a path at the front of a line
 *   paths_at_home   what "~/" means
 *   paths_offer     complete one
 */
#ifndef PATHS_H
#define PATHS_H

#include "commands.h"

enum { PATHS_SIZE = 4096 };

/* paths_word - cut a path off the front of a text: a word, or what stands between double quotes. */
char *paths_word(char **text);

/* paths_at_home - a path that begins with "~/", as the shell would have it.  Returns whole, or path
 * if it is no such path or is too long. */
const char *paths_at_home(const char *path, char whole[PATHS_SIZE]);

/* paths_offer - for a row of commands: the files whose path begins so; not the hidden ones unless
 * that is asked for, and none whose name would have to be quoted. */
command_offer paths_offer;

#endif
