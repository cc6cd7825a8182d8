/* Public or not: both edges of each range and their neighbours, what carries an IPv4 address, and
 * the list of exceptions. */
#include "http/address.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static bool is_public(const char *text, const struct address_list *exceptions)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&in, exceptions);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return address_is_public((const struct sockaddr *)&in6, exceptions);
}

static void check(const char *text, const struct address_list *exceptions, bool want)
{
    bool got = is_public(text, exceptions);
    if (got != want)
        printf("\n    %s is %s\n", text, got ? "let through" : "refused");
    CU_ASSERT_EQUAL(got, want);
}

/* The address before, the first, the last, the address behind; NULL: there is none. */
static const struct {
    const char *before, *first, *last, *behind;
} ranges[] = {
    {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
    {NULL, "240.0.0.0", "255.255.255.255", NULL},
    {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff:1000::"},
    {NULL, "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "1000::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
    /* outside of what is given out, each by its name */
    {NULL, "::", "::", NULL},
    {NULL, "::1", "::1", NULL},
    {NULL, "::2", "::ffff", NULL},
    {NULL, "::808:808", "::8.8.8.8", NULL},
    {NULL, "100::", "100::ffff:ffff:ffff:ffff", NULL},
    {NULL, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
};

/* The same by each notation that carries an IPv4 address. */
static void check_carried(const char *four, bool want)
{
    static const char *const prefixes[] = {
        "::ffff:", "64:ff9b::", "64:ff9b:1::", "64:ff9b:1:fffe::"};
    char text[64];
    uint8_t bytes[4];
    if (four == NULL)
        return;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(text, sizeof text, "%s%s", prefixes[i], four);
        check(text, NULL, want);
    }
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET, four, bytes), 1);
    snprintf(text, sizeof text, "2002:%02x%02x:%02x%02x:1::5", bytes[0], bytes[1], bytes[2],
             bytes[3]);
    check(text, NULL, want);
}

static void test_ranges(void)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        check(ranges[i].first, NULL, false);
        check(ranges[i].last, NULL, false);
        if (ranges[i].before != NULL)
            check(ranges[i].before, NULL, true);
        if (ranges[i].behind != NULL)
            check(ranges[i].behind, NULL, true);
    }
}

static void test_carried_addresses(void)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (strchr(ranges[i].first, ':') != NULL)
            continue;
        check_carried(ranges[i].first, false);
        check_carried(ranges[i].last, false);
        check_carried(ranges[i].before, true);
        check_carried(ranges[i].behind, true);
    }
    check_carried("8.8.8.8", true);
}

static void test_public_addresses(void)
{
    static const char *const open[] = {"1.1.1.1",           "8.8.8.8",
                                       "93.184.215.14",     "2606:4700::1111",
                                       "2a00:1450::200e",   "2001:4860:4860::8888",
                                       "2400:cb00:2048::1", "2003::1"};
    static const char *const shut[] = {
        "169.254.169.254",             /* metadata */
        "64:ff9a:ffff::8.8.8.8",       /* beside NAT64 */
        "64:ff9b:0:0:0:1:808:808",     /* the same */
        "64:ff9b:2::8.8.8.8",          /* the same */
        "64:ff9b:1:a00:0:100:808:808", /* 10.0.0.1 by the form of a /48 */
        "::fffe:8.8.8.8",              /* beside mapped */
        "::ffff:0:8.8.8.8",            /* the given up translated form */
    };
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        check(open[i], NULL, true);
    for (size_t i = 0; i < sizeof shut / sizeof *shut; i++)
        check(shut[i], NULL, false);
}

static void test_other_families(void)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/x"};
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct address_list *all = NULL;
    CU_ASSERT_EQUAL(address_list_parse("::/0", &all, NULL), 0);
    CU_ASSERT_FALSE(address_is_public((const struct sockaddr *)&local, all));
    CU_ASSERT_FALSE(address_is_public(&none, all));
    address_list_free(&all);
    CU_ASSERT_PTR_NULL(all);
}

static void test_exceptions(void)
{
    struct address_list *list = NULL;
    struct err err;
    static const char *const text = "10.1.2.3,127.0.0.0/8,172.16.128.0/17,fd00::/8,fe80::1";
    CU_ASSERT_EQUAL_FATAL(address_list_parse(text, &list, &err), 0);
    check("10.1.2.3", list, true);
    check("10.1.2.2", list, false);
    check("10.1.2.4", list, false);
    check("126.255.255.255", list, true);
    check("127.0.0.0", list, true);
    check("127.255.255.255", list, true);
    check("172.16.127.255", list, false);
    check("172.16.128.0", list, true);
    check("172.16.255.255", list, true);
    check("172.17.0.0", list, false);
    check("fcff::", list, false);
    check("fd00::", list, true);
    check("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", list, true);
    check("fe00::", list, false);
    check("fe80::1", list, true);
    check("fe80::2", list, false);
    check("::ffff:10.1.2.3", list, true);
    check("64:ff9b::10.1.2.3", list, true);
    check("64:ff9b::10.1.2.4", list, false);
    check("2002:a01:203::1", list, true);
    check("::1", list, false);
    check("8.8.8.8", list, true);
    address_list_free(&list);
    address_list_free(&list);
    CU_ASSERT_EQUAL_FATAL(address_list_parse("64:ff9b::/96,::ffff:10.0.0.0/104", &list, &err), 0);
    check("64:ff9b::192.168.0.1", list, true); /* by its own prefix */
    check("192.168.0.1", list, false);
    check("10.1.2.4", list, true);
    address_list_free(&list);
    CU_ASSERT_EQUAL_FATAL(address_list_parse("", &list, &err), 0);
    check("127.0.0.1", list, false);
    address_list_free(&list);
}

static void test_lists_are_strict(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {",", "is no address"},
        {"10.0.0.0/8,", "is no address"},
        {"10.0.0.0/8, 10.1.2.3", "\" 10.1.2.3\" is no address"},
        {"10.0.0.0/8;10.1.2.3", "the prefix has 0 to 32 bits"},
        {"10.0.0", "is no address"},
        {"010.0.0.1", "is no address"},
        {"localhost", "\"localhost\" is no address; write 10.1.2.3, 10.0.0.0/8 or fd00::/8"},
        {"fe80::1%eth0", "is no address"},
        {"[::1]", "is no address"},
        {"/8", "is no address"},
        {"10.0.0.0/", "the prefix has 0 to 32 bits"},
        {"10.0.0.0/33", "the prefix has 0 to 32 bits"},
        {"10.0.0.0/-1", "the prefix has 0 to 32 bits"},
        {"10.0.0.0/8/8", "the prefix has 0 to 32 bits"},
        {"fd00::/129", "\"fd00::/129\": the prefix has 0 to 128 bits"},
        {"10.0.0.1/8", "bits are set behind the prefix"},
        {"10.0.0.128/24", "bits are set behind the prefix"},
        {"172.16.64.0/17", "bits are set behind the prefix"},
        {"fd00::1/8", "bits are set behind the prefix"},
        {"11111111111111111111111111111111111111111111111111111111111111111111111111111111",
         "is no address"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address_list *list = (struct address_list *)1;
        struct err err;
        CU_ASSERT_EQUAL(address_list_parse(cases[i].text, &list, &err), -1);
        CU_ASSERT_PTR_EQUAL(list, (struct address_list *)1);
        CU_ASSERT_EQUAL(err.class, ERR_PERMANENT);
        CU_ASSERT_STRING_EQUAL(err.code, "address.list");
        if (strstr(err.message, cases[i].says) == NULL)
            printf("\n    %s: %s\n", cases[i].text, err.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, cases[i].says));
    }
}

static void test_lists_are_bounded(void)
{
    char text[ADDRESS_LIST_MAX * 9 + 16] = "10.0.0.1";
    struct address_list *list = NULL;
    struct err err;
    for (int i = 1; i < ADDRESS_LIST_MAX; i++) {
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, ",10.0.0.1");
    }
    CU_ASSERT_EQUAL_FATAL(address_list_parse(text, &list, &err), 0);
    address_list_free(&list);
    snprintf(text + strlen(text), 10, ",10.0.0.1");
    CU_ASSERT_EQUAL(address_list_parse(text, &list, &err), -1);
    CU_ASSERT_STRING_EQUAL(err.message, "more than 64 networks");
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("addresses", NULL, NULL);
    CU_add_test(suite, "edges of each range", test_ranges);
    CU_add_test(suite, "carried IPv4 addresses", test_carried_addresses);
    CU_add_test(suite, "well-known addresses", test_public_addresses);
    CU_add_test(suite, "other families", test_other_families);
    CU_add_test(suite, "exceptions", test_exceptions);
    CU_add_test(suite, "lists are strict", test_lists_are_strict);
    CU_add_test(suite, "lists are bounded", test_lists_are_bounded);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
