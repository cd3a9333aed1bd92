/* The student's file of an exercise that only tests the tools: it passes the checks that it names. */

#include <stdio.h>

int main(void)
{
    puts("nothing");
    return 0;
}
