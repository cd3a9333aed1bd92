/* files_fault_server - what it shares with its test: memory that FAULT in the environment names. */
#ifndef FILES_FAULT_SERVER_H
#define FILES_FAULT_SERVER_H

#include <stdatomic.h>

struct faults {
    atomic_int ahead;   /* seconds that the server's clock is ahead by */
    atomic_int failing; /* this many times the disk says that it has lost a part */
};

#endif
