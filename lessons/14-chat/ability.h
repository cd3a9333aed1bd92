/* ability - what the terminal of this process can do. */
#ifndef ABILITY_H
#define ABILITY_H

#include <stdbool.h>

/* ability_edit - true if standard input and output are a terminal whose cursor can be moved: TERM is
 * set, and is not "dumb". */
bool ability_edit(void);

/* ability_colours - how many colours descriptor fd has, as terminfo(5) knows it; 0 if it is no
 * terminal, or NO_COLOR is set and not empty (https://no-color.org). */
int ability_colours(int fd);

#endif
