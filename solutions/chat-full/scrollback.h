/*
 * scrollback - what was said before: /history, page by page.
 *
 * Each call shows the page before all that has been seen of the room since we are connected.
 */
#ifndef SCROLLBACK_H
#define SCROLLBACK_H

#include "talk.h"

extern const struct talk_extension scrollback;

#endif
