/* Recovery on a real PostgreSQL: who is listed, and that a turn without a model is answered after
 * all once at most, and by nobody where a person is. */
#include "unit/common/store/recover_rig.h"

static void a_text_is_answered_after_all_once(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    struct recover_row row = listed("dental");
    CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
    CU_ASSERT_TRUE(row.allowed);
    CU_ASSERT_STRING_EQUAL(row.outcome, "fallback");
    CU_ASSERT_PTR_NULL(row.task);
    CU_ASSERT_PTR_NULL(listed("somebody-else").turn);
    CU_ASSERT_TRUE(answer(&row));
    CU_ASSERT_STRING_EQUAL(value("SELECT due_at IS NOT NULL FROM channel_sessions"), "t");
    CU_ASSERT_PTR_NULL(listed(NULL).turn); /* under way */
    CU_ASSERT_FALSE(answer(&row));
    taken_up(&claimed, "Yes, until five.");
    CU_ASSERT_PTR_NULL(listed(NULL).turn);
    CU_ASSERT_FALSE(answer(&row));
    CU_ASSERT_STRING_EQUAL(value("SELECT string_agg(state, ' ') FROM inbox_events"),
                           "answered answered");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "2");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(DISTINCT event_time) FROM inbox_events"), "1");
    end_recovery();
}

static void without_a_model_it_may_be_asked_again(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    for (int i = 0; i < 3; i++) {
        struct recover_row row = listed(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
        CU_ASSERT_TRUE(answer(&row));
        taken_up(&claimed, "");
    }
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "1");
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM messages WHERE author = 'system'"), "1");
    end_recovery();
}

static void call_a_tool(const struct turn_started *turn, const char *started_at)
{
    char text[UUID_TEXT_SIZE];
    const char *id = uuid_format(&turn->turn, text);
    run(arena_printf(arena,
                     "INSERT INTO turn_rounds (tenant_id, turn_id, number, after_position, claimed,"
                     " said) VALUES ('" TENANT "', '%s', 1, 1, 1, '');"
                     "INSERT INTO tool_calls (tenant_id, id, turn_id, round, place, provider_id,"
                     " name, arguments, started_at) VALUES ('" TENANT
                     "', gen_random_uuid(), '%s', 1, 1, 'c', 'book', '{}', %s)",
                     id, id, started_at));
}

/* Once a tool has changed something, no other try does it again; nor is the turn that told it
 * answered once more. Guards: recover.c HAD_EFFECTS, and that FOUND wants a customer's text. */
static void effects_are_not_repeated(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    struct recover_row row = listed(NULL);
    CU_ASSERT_TRUE(answer(&row));
    struct turn_started turn = begun(&claimed);
    call_a_tool(&turn, "NULL"); /* one that only reads */
    ended(&claimed, &turn, "", "fallback", AWAY);
    CU_ASSERT_PTR_NOT_NULL(listed(NULL).turn);
    CU_ASSERT_TRUE(answer(&row));
    turn = begun(&claimed);
    call_a_tool(&turn, "clock_timestamp()");
    ended(&claimed, &turn, "", "fallback", AWAY);
    CU_ASSERT_PTR_NULL(listed(NULL).turn);
    CU_ASSERT_FALSE(answer(&row));
    run("UPDATE tool_calls SET started_at = NULL");
    CU_ASSERT_TRUE(answer(&row));
    turn = begun(&claimed);
    call_a_tool(&turn, "clock_timestamp()");
    ended(&claimed, &turn, "Booked: cleaning", "fallback", AWAY);
    CU_ASSERT_PTR_NULL(listed(NULL).turn);
    CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM deliveries"), "2");
    end_recovery();
}

#define OTHER "00000000-0000-7000-8000-000000000051"

/* The customer of the only session on another number of the tenant. */
#define OTHER_SESSION                                                                              \
    "INSERT INTO channels (tenant_id, id, kind, address, account_sid, credentials, edge_keys,"     \
    " assistant_id) SELECT tenant_id, '00000000-0000-7000-8000-0000000000c2', 'sms', '+15550002'," \
    " account_sid, credentials, edge_keys, assistant_id FROM channels;"                            \
    "INSERT INTO channel_sessions (tenant_id, id, conversation_id, channel_id, kind,"              \
    " remote_address) SELECT tenant_id, '" OTHER "', conversation_id,"                             \
    " '00000000-0000-7000-8000-0000000000c2', kind, remote_address FROM channel_sessions;"

#define OTHER_DELIVERY(author, at)                                                                 \
    OTHER_SESSION "INSERT INTO deliveries (tenant_id, id, conversation_id, session_id, seq,"       \
                  " message_id, author, via, epoch, state, answer_by, created_at) SELECT"          \
                  " tenant_id, gen_random_uuid(), conversation_id, '" OTHER "', 1, message_id,"    \
                  " '" author "', 'sms', epoch, 'sent', answer_by, " at " FROM deliveries"

#define OTHER_OPEN                                                                                 \
    OTHER_SESSION "INSERT INTO inbox_events (tenant_id, channel, provider_id, session_id,"         \
                  " message_id, address_hash, content_hash, state, claim_id, event_time) SELECT"   \
                  " tenant_id, 'sms', 'SM9', '" OTHER "', message_id, address_hash, '', 'open',"   \
                  " claim_id, event_time FROM inbox_events"

/* What has changed between the list and the answer counts. Guard: recover.c FOUND in arm_sql. */
static void what_forbids_it(void)
{
    static const char *const cases[] = {
        "UPDATE conversations SET held_by = 'staff'",
        "UPDATE conversations SET closed_at = now()",
        "UPDATE channels SET removed_at = now()",
        "UPDATE deliveries SET answer_by = now()",
        "UPDATE deliveries SET state = 'suppressed'",
        "UPDATE assistant_versions SET config = '{\"recover\":{\"answer\":false}}'",
        "UPDATE assistant_versions SET config = '{}'",
        "INSERT INTO consents SELECT tenant_id, '+15550001', remote_address, 'opted_out', 'x', "
        "now()"
        " FROM channel_sessions",
        "INSERT INTO messages (tenant_id, id, conversation_id, session_id, direction, author, body,"
        " event_time) SELECT tenant_id, gen_random_uuid(), conversation_id, id, 'out', 'operator',"
        " 'Staff here', now() FROM channel_sessions",
        "INSERT INTO escalations (tenant_id, id, conversation_id, reason, summary, state)"
        " SELECT tenant_id, '00000000-0000-7000-8000-0000000000e1', id, 'message', 'x', 'closed'"
        " FROM conversations; INSERT INTO receptions (tenant_id, conversation_id, session_id,"
        " asked, tries, escalation_id, read_position) SELECT tenant_id, conversation_id, id, "
        "'done',"
        " 0, '00000000-0000-7000-8000-0000000000e1', 1 FROM channel_sessions",
        OTHER_DELIVERY("ai", "now()"),
        OTHER_DELIVERY("operator", "now()"),
        OTHER_OPEN,
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_recovery(ALLOWED);
        fallback();
        struct recover_row row = listed(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
        run(cases[i]);
        CU_ASSERT_FALSE(answer(&row));
        CU_ASSERT_STRING_EQUAL(value("SELECT count(*) FROM inbox_events WHERE " RECOVERIES), "0");
        end_recovery();
    }
}

/* What came to another number of the tenant before, and what is no answer. */
static void what_does_not_forbid_it(void)
{
    static const char *const cases[] = {
        OTHER_DELIVERY("ai", "now() - interval '1 h'"),
        OTHER_DELIVERY("system", "now()"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_recovery(ALLOWED);
        fallback();
        run(cases[i]);
        struct recover_row row = listed(NULL);
        CU_ASSERT_PTR_NOT_NULL_FATAL(row.turn);
        CU_ASSERT_TRUE(answer(&row));
        end_recovery();
    }
}

/* A recovery that the provider's log says was answered is over, and no other waits behind it.
 * Guard: recover.c FOUND looks at the event. */
static void a_reconciled_one_is_over(void)
{
    begin_recovery(ALLOWED);
    struct inbox_claimed claimed = fallback();
    struct recover_row row = listed(NULL);
    CU_ASSERT_TRUE(answer(&row));
    taken_up(&claimed, "");
    CU_ASSERT_PTR_NOT_NULL(listed(NULL).turn);
    run("UPDATE inbox_events SET reason = 'reconciled' WHERE " RECOVERIES);
    CU_ASSERT_PTR_NULL(listed(NULL).turn);
    CU_ASSERT_FALSE(answer(&row));
    end_recovery();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("recover", open_server, rig_end_server);
    CU_add_test(suite, "answered after all, once", a_text_is_answered_after_all_once);
    CU_add_test(suite, "asked again without a model", without_a_model_it_may_be_asked_again);
    CU_add_test(suite, "effects are not repeated", effects_are_not_repeated);
    CU_add_test(suite, "what forbids it", what_forbids_it);
    CU_add_test(suite, "what does not forbid it", what_does_not_forbid_it);
    CU_add_test(suite, "a reconciled one is over", a_reconciled_one_is_over);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
