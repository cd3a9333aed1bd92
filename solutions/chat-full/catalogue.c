/* catalogue - the files that have been announced.  See catalogue.h. */

#include "catalogue.h"

#include "commands.h"
#include "message.h"

#include <stdio.h>

enum { KEPT = 256 };

static struct announced kept[KEPT];
static size_t added = 0;

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

bool is_file_id(const char *text)
{
    return is_hex(text, FILE_ID_SIZE - 1);
}

bool file_is_meant(const char *id, const char *name, const char *word)
{
    return strcmp(word, name) == 0 ||
           (strlen(word) >= FILE_ID_MIN && strncasecmp(id, word, strlen(word)) == 0);
}

bool announced_read(struct announced *a, const json_t *object, const char *id)
{
    const char *name = message_text(object, "name");
    const char *sum = message_text(object, "sha256");
    *a = (struct announced){.size = message_number(object, "size")};
    if (!is_file_id(id) || !is_hex(sum, DIGEST_HEX_SIZE - 1) || a->size < 0 || *name == '\0' ||
        strlen(name) >= FILE_NAME_SIZE)
        return false;
    snprintf(a->id, sizeof a->id, "%s", id);
    snprintf(a->name, sizeof a->name, "%s", name);
    snprintf(a->sum, sizeof a->sum, "%s", sum);
    return true;
}

static size_t count(void)
{
    return added < KEPT ? added : KEPT;
}

void catalogue_add(const struct announced *a)
{
    for (size_t i = 0; i < count(); i++)
        if (strcmp(kept[i].id, a->id) == 0) {
            kept[i] = *a;
            return;
        }
    kept[added++ % KEPT] = *a;
}

const struct announced *catalogue_find(const char *start)
{
    const struct announced *found = NULL;
    if (strlen(start) < FILE_ID_MIN)
        return NULL;
    for (size_t i = 0; i < count(); i++) {
        if (strncasecmp(kept[i].id, start, strlen(start)) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &kept[i];
    }
    return found;
}

void catalogue_offer(struct words *found, const char *start)
{
    for (size_t i = 0; i < count(); i++)
        command_offer_word(found, kept[i].id, start, " ");
}
