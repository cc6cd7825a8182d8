/* Public or not, as two tables of prefixes. Every address is looked at as 16 bytes, an IPv4 one as
 * ::ffff:a.b.c.d, so that lists and ranges need one comparison. The HTTP client asks for each
 * address that it is about to connect to, which is after names were resolved. */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#define BYTES     16
#define MAPPED_AT 12 /* where the IPv4 address begins */

struct network {
    uint8_t prefix[BYTES];
    int bits;
};

struct address_list {
    size_t count;
    struct network networks[ADDRESS_LIST_MAX];
};

#define MAPPED 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff

/* Not public. IPv6 needs few lines because nothing outside of 2000::/3 is given out. */
static const struct network closed[] = {
    {{MAPPED, 0, 0, 0, 0}, 96 + 8},       /* this network */
    {{MAPPED, 10, 0, 0, 0}, 96 + 8},      /* private */
    {{MAPPED, 100, 64, 0, 0}, 96 + 10},   /* carriers' own */
    {{MAPPED, 127, 0, 0, 0}, 96 + 8},     /* loopback */
    {{MAPPED, 169, 254, 0, 0}, 96 + 16},  /* link-local; metadata services */
    {{MAPPED, 172, 16, 0, 0}, 96 + 12},   /* private */
    {{MAPPED, 192, 0, 0, 0}, 96 + 24},    /* protocol assignments */
    {{MAPPED, 192, 0, 2, 0}, 96 + 24},    /* documentation */
    {{MAPPED, 192, 88, 99, 0}, 96 + 24},  /* 6to4 relays, given up */
    {{MAPPED, 192, 168, 0, 0}, 96 + 16},  /* private */
    {{MAPPED, 198, 18, 0, 0}, 96 + 15},   /* benchmarks */
    {{MAPPED, 198, 51, 100, 0}, 96 + 24}, /* documentation */
    {{MAPPED, 203, 0, 113, 0}, 96 + 24},  /* documentation */
    {{MAPPED, 224, 0, 0, 0}, 96 + 4},     /* multicast */
    {{MAPPED, 240, 0, 0, 0}, 96 + 4},     /* reserved, broadcast */
    {{0x20, 0x01}, 23},                   /* protocol assignments: Teredo, ORCHID */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},       /* documentation */
    {{0x3f, 0xff}, 20},                   /* documentation */
};
static const struct network given_out = {{0x20}, 3};

static const struct network mapped = {{MAPPED}, 96};
static const struct network nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
static const struct network local_nat64 = {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48};
static const struct network sixtofour = {{0x20, 0x02}, 16};

static bool within(const uint8_t address[BYTES], const struct network *network)
{
    int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->prefix, (size_t)whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ network->prefix[whole]) >> (8 - rest) == 0;
}

static bool listed(const uint8_t address[BYTES], const struct address_list *list)
{
    for (size_t i = 0; list != NULL && i < list->count; i++)
        if (within(address, &list->networks[i]))
            return true;
    return false;
}

static void set_mapped(uint8_t address[BYTES], const uint8_t four[4])
{
    memcpy(address, mapped.prefix, MAPPED_AT);
    memcpy(address + MAPPED_AT, four, 4);
}

/* Replaces the address by the IPv4 address that it carries, if it does. */
static void unwrap(uint8_t address[BYTES])
{
    static const uint8_t zero[4];
    uint8_t four[4];
    if (within(address, &sixtofour)) {
        memcpy(four, address + 2, 4);
        set_mapped(address, four);
        return;
    }
    /* A local translator may put the IPv4 address elsewhere (RFC 6052, 2.2), then with a part of it
     * in these four bytes: only when they are empty is the end what it goes by. */
    bool local = within(address, &local_nat64) && memcmp(address + 8, zero, 4) == 0;
    if (local || within(address, &nat64)) {
        memcpy(four, address + MAPPED_AT, 4);
        set_mapped(address, four);
    }
}

static bool is_open(const uint8_t address[BYTES])
{
    if (!within(address, &mapped) && !within(address, &given_out))
        return false;
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (within(address, &closed[i]))
            return false;
    return true;
}

static bool read_address(const struct sockaddr *address, uint8_t bytes[BYTES])
{
    const void *start = address; /* what is behind it may be larger than a struct sockaddr */
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, start, sizeof in);
        set_mapped(bytes, (const uint8_t *)&in.sin_addr);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, start, sizeof in6);
    memcpy(bytes, &in6.sin6_addr, BYTES);
    return true;
}

bool address_is_public(const struct sockaddr *address, const struct address_list *exceptions)
{
    uint8_t bytes[BYTES];
    if (!read_address(address, bytes))
        return false;
    if (listed(bytes, exceptions))
        return true;
    unwrap(bytes);
    return listed(bytes, exceptions) || is_open(bytes);
}

/* ---- lists ---- */

static bool has_bits_behind(const struct network *network)
{
    for (int bit = network->bits; bit < BYTES * 8; bit++)
        if (network->prefix[bit / 8] & 0x80 >> bit % 8)
            return true;
    return false;
}

static int parse_network(const char *part, struct network *network, struct err *err)
{
    char address[INET6_ADDRSTRLEN] = "";
    uint8_t four[4];
    size_t length = strcspn(part, "/");
    int64_t bits = BYTES * 8;
    if (length < sizeof address)
        memcpy(address, part, length);
    bool is_four = inet_pton(AF_INET, address, four) == 1;
    if (is_four)
        set_mapped(network->prefix, four);
    else if (inet_pton(AF_INET6, address, network->prefix) != 1)
        return err_set(err, ERR_PERMANENT, "address.list",
                       "\"%.*s\" is no address; write 10.1.2.3, 10.0.0.0/8 or fd00::/8",
                       (int)text_utf8_prefix(part, 60), part);
    int64_t most = is_four ? 32 : BYTES * 8;
    if (part[length] == '/' && !text_parse_int(part + length + 1, 0, most, &bits))
        return err_set(err, ERR_PERMANENT, "address.list", "\"%.*s\": the prefix has 0 to %d bits",
                       (int)text_utf8_prefix(part, 60), part, (int)most);
    network->bits = (int)bits + (is_four && part[length] == '/' ? MAPPED_AT * 8 : 0);
    if (has_bits_behind(network))
        return err_set(err, ERR_PERMANENT, "address.list",
                       "\"%.*s\": bits are set behind the prefix; write the network's own address",
                       (int)text_utf8_prefix(part, 60), part);
    return 0;
}

static int parse_list(const char *text, struct address_list *list, struct err *err)
{
    while (text != NULL) {
        const char *comma = strchr(text, ',');
        if (list->count == ADDRESS_LIST_MAX)
            return err_set(err, ERR_PERMANENT, "address.list", "more than %d networks",
                           ADDRESS_LIST_MAX);
        char *part = comma != NULL ? xstrndup(text, (size_t)(comma - text)) : xstrdup(text);
        int result = parse_network(part, &list->networks[list->count], err);
        free(part);
        if (result != 0)
            return -1;
        list->count++;
        text = comma != NULL ? comma + 1 : NULL;
    }
    return 0;
}

int address_list_parse(const char *text, struct address_list **list, struct err *err)
{
    struct address_list *parsed = xcalloc(1, sizeof *parsed);
    if (text[0] != '\0' && parse_list(text, parsed, err) != 0) {
        free(parsed);
        return -1;
    }
    *list = parsed;
    return 0;
}

void address_list_free(struct address_list **list)
{
    free(*list);
    *list = NULL;
}
