/* emoji_typing - TAB completes the short codes that the server makes emoji of. */
#ifndef EMOJI_TYPING_H
#define EMOJI_TYPING_H

#include "talk.h"

extern const struct talk_extension emoji_typing;

#endif
