/* The conveniences of world.h that every world shares: single transfers, addresses as text. */
#include "base/world.h"

#include <stdio.h>

enum sqlstate disk_read(struct world *world, struct scope *scope, struct file *file, void *data, size_t size,
                        uint64_t offset, size_t *done, struct error *error)
{
    struct disk_transfer transfer = {.file = file, .data = data, .size = size, .offset = offset};
    enum sqlstate failed = disk_read_many(world, scope, &transfer, 1, error);
    if (failed)
        return failed;
    if (done)
        *done = transfer.done;
    else if (transfer.done < size)
        return error_set(error, SQLSTATE_DATA_CORRUPTED,
                         "file ends early: %zu of %zu bytes at offset %llu could be read", transfer.done,
                         size, (unsigned long long)offset);
    return SQLSTATE_OK;
}

enum sqlstate disk_write(struct world *world, struct scope *scope, struct file *file, const void *data,
                         size_t size, uint64_t offset, struct error *error)
{
    struct disk_transfer transfer = {.file = file, .data = (void *)data, .size = size, .offset = offset};
    return disk_write_many(world, scope, &transfer, 1, false, error);
}

enum sqlstate disk_write_durable(struct world *world, struct scope *scope, struct file *file,
                                 const void *data, size_t size, uint64_t offset, struct error *error)
{
    struct disk_transfer transfer = {.file = file, .data = (void *)data, .size = size, .offset = offset};
    return disk_write_many(world, scope, &transfer, 1, true, error);
}

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Groups as RFC 5952 asks: lower case, no leading zeros, the longest run of two or more zero groups as "::".
 */
static size_t v6_text(const uint8_t ip[static 16], char *text, size_t size)
{
    uint16_t group[8];
    int run = -1, run_length = 1;
    for (int i = 0; i < 8; i++)
        group[i] = (uint16_t)(ip[2 * i] << 8 | ip[2 * i + 1]);
    for (int i = 0; i < 8; i++) {
        int length = 0;
        while (i + length < 8 && group[i + length] == 0)
            length++;
        if (length > run_length) {
            run = i;
            run_length = length;
        }
    }
    size_t used = 0;
    for (int i = 0; i < 8; i++) {
        if (i == run) {
            used += (size_t)snprintf(text + used, size - used, "::");
            i += run_length - 1;
            continue;
        }
        bool colon = i > 0 && i != run + run_length;
        used += (size_t)snprintf(text + used, size - used, colon || (i && run < 0) ? ":%x" : "%x", group[i]);
    }
    return used;
}

void net_address_text(const struct net_address *address, char text[static NET_ADDRESS_TEXT_BYTES])
{
    const uint8_t *ip = address->ip;
    if (!address->v6) {
        snprintf(text, NET_ADDRESS_TEXT_BYTES, "%u.%u.%u.%u:%u", ip[12], ip[13], ip[14], ip[15],
                 address->port);
        return;
    }
    text[0] = '[';
    size_t used = 1 + v6_text(ip, text + 1, NET_ADDRESS_TEXT_BYTES - 1);
    snprintf(text + used, NET_ADDRESS_TEXT_BYTES - used, "]:%u", address->port);
}

/* A decimal number up to 255 without leading zeros; gives the text behind it, or NULL. */
static const char *parse_octet(const char *at, uint8_t *octet)
{
    unsigned value = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9' && at - start < 3; at++)
        value = value * 10 + (unsigned)(*at - '0');
    if (at == start || value > 255 || (*start == '0' && at - start > 1))
        return NULL;
    *octet = (uint8_t)value;
    return at;
}

static bool parse_v4(const char *at, uint8_t octets[static 4])
{
    for (int i = 0; i < 4; i++) {
        at = parse_octet(at, &octets[i]);
        if (!at || *at != (i < 3 ? '.' : '\0'))
            return false;
        at++;
    }
    return true;
}

/* One group of up to four hex digits; gives the text behind it, or NULL. */
static const char *parse_group(const char *at, uint8_t group[static 2])
{
    unsigned value = 0;
    int digits = 0;
    for (; digits < 4; digits++, at++) {
        unsigned digit;
        if (*at >= '0' && *at <= '9')
            digit = (unsigned)(*at - '0');
        else if ((*at | 32) >= 'a' && (*at | 32) <= 'f')
            digit = (unsigned)((*at | 32) - 'a' + 10);
        else
            break;
        value = value << 4 | digit;
    }
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    return digits ? at : NULL;
}

static bool parse_v6(const char *at, uint8_t ip[static 16])
{
    uint8_t bytes[16] = {0};
    int used = 0, gap = -1;
    if (at[0] == ':' && at[1] == ':') {
        gap = 0;
        at += 2;
    }
    while (*at) {
        if (used == 16)
            return false;
        if (used <= 12 && parse_v4(at, bytes + used)) {
            used += 4;
            break;
        }
        at = parse_group(at, bytes + used);
        if (!at)
            return false;
        used += 2;
        if (!*at)
            break;
        if (*at++ != ':')
            return false;
        if (*at == ':') {
            if (gap >= 0)
                return false;
            gap = used;
            at++;
        } else if (!*at)
            return false;
    }
    if (gap < 0 ? used != 16 : used > 14)
        return false;
    if (gap < 0)
        gap = used;
    memset(ip, 0, 16);
    memcpy(ip, bytes, (size_t)gap);
    memcpy(ip + 16 - (used - gap), bytes + gap, (size_t)(used - gap));
    return true;
}

bool net_address_parse(const char *text, struct net_address *address)
{
    uint8_t ip[16];
    memcpy(ip, v4_prefix, sizeof v4_prefix);
    bool v6 = false;
    if (!parse_v4(text, ip + 12)) {
        v6 = true;
        if (!parse_v6(text, ip))
            return false;
    }
    memcpy(address->ip, ip, sizeof ip);
    address->v6 = v6;
    return true;
}
