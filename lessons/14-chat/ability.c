/* ability - what the terminal of this process can do.  See ability.h. */

#include "ability.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

bool ability_edit(void)
{
    const char *name = getenv("TERM");
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && name != NULL && *name != '\0' &&
           strcmp(name, "dumb") != 0;
}

int ability_colours(int fd)
{
    const char *refused = getenv("NO_COLOR");
    int error = 0; /* asked for, so that setupterm does not end the program */
    if (!isatty(fd) || (refused != NULL && *refused != '\0') || setupterm(NULL, fd, &error) != OK)
        return 0;
    int colours = tigetnum("colors");
    del_curterm(cur_term);
    return colours > 0 ? colours : 0;
}
