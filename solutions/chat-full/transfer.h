/* transfer - files: /send, /get and /cancel, and what others share. */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "talk.h"

extern const struct talk_extension transfer;

#endif
