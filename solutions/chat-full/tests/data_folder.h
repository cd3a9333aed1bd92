/*
 * data_folder - the folder of a test's server, and a look at the database in it.
 *
 * Interface:
 *   data_server                 the full server that was built beside this test
 *   data_make, data_remove      a fixture: the folder, the same for each start of the server
 *   data_open, data_count, data_integrity
 */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H

#include <sqlite3.h>

extern char data_folder[64];

const char *data_server(void);

void data_make(void);
void data_remove(void);

/* data_open - the database, as another process may open it, waiting for locks; a failure ends the
 * test. */
sqlite3 *data_open(void);

/* data_count - the number that a question is answered with. */
long data_count(const char *question);

/* data_integrity - "ok"; or what is wrong. */
const char *data_integrity(void);

#endif
