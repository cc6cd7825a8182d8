/* The end of a rota that nobody accepts, on a real PostgreSQL, as the engine's role: the customer
 * is told once, and only where it is theirs to know. */
#include "unit/common/store/rota_rig.h"

#define NOBODY "Nobody yet."

/* A wish that was promised people, and its rota at its end. */
static struct rota_rest asked_in_vain(void)
{
    struct escalation_trigger trigger = trigger_of("policy_word", 1);
    trigger.promised = "I have asked a colleague.";
    turn_with(1, 1, "reply", trigger);
    tell(STAFF, "7K3F");
    make_due();
    struct rota_due due = take_due(WORKER_A);
    return (struct rota_rest){.of = step_of(WORKER_A, &due), .pause = ROTA_NOBODY, .tell = NOBODY};
}

static const char *of_nobody(void)
{
    return value("SELECT string_agg(d.author || ' ' || d.via || ' ' || d.state || ' '"
                 " || (d.seq = s.delivery_seq) || ' ' || m.body, ', ') FROM escalations e"
                 " JOIN deliveries d ON d.id = e.id JOIN messages m ON m.id = d.message_id"
                 " JOIN channel_sessions s ON s.id = d.session_id");
}

/* Once, also when the rota was asked again; in the session of the turn, behind its reply. */
static void the_customer_is_told_once(void)
{
    begin_rota();
    struct rota_rest rest = asked_in_vain();
    struct rota_rested came = write_rest(&rest);
    CU_ASSERT_TRUE(came.nobody);
    CU_ASSERT_FALSE(uuid_is_nil(&came.session));
    CU_ASSERT_STRING_EQUAL(of_nobody(), "system sms pending true " NOBODY);
    CU_ASSERT_FALSE(write_rest(&rest).nobody); /* it was lost, and comes again */
    run("UPDATE escalations SET rota = 'running', steps = 0");
    tell(STAFF, "8K3F");
    make_due();
    struct rota_due due = take_due(WORKER_A);
    rest.of = step_of(WORKER_A, &due);
    came = write_rest(&rest);
    CU_ASSERT_TRUE(came.nobody && uuid_is_nil(&came.session));
    CU_ASSERT_STRING_EQUAL(of_nobody(), "system sms pending true " NOBODY);
    end_test();
}

/* Who was promised people by mail is told so by mail, behind the thread's newest; and only if that
 * mail may have left. */
static void by_mail(void)
{
    static const char *const thread[] = {
        "UPDATE channel_sessions SET kind = 'mail' WHERE id = (SELECT session_id FROM turns)",
        "UPDATE deliveries SET via = 'mail' WHERE author = 'ai'",
        "UPDATE messages SET subject = 'Lawyers' WHERE direction = 'in'",
        "INSERT INTO message_mails (tenant_id, message_id, class, mail_id, verified)"
        " SELECT tenant_id, id, 'person', 'm1@customer.example', true FROM messages"
        " WHERE direction = 'in'",
    };
    for (int bounced = 0; bounced < 2; bounced++) {
        begin_rota();
        struct rota_rest rest = asked_in_vain();
        for (size_t i = 0; i < sizeof thread / sizeof thread[0]; i++)
            run(thread[i]);
        if (bounced)
            run("UPDATE deliveries SET state = 'bounced', settled_at = clock_timestamp()"
                " WHERE author = 'ai'");
        struct rota_rested came = write_rest(&rest);
        CU_ASSERT_TRUE(came.nobody);
        CU_ASSERT_EQUAL(uuid_is_nil(&came.session), bounced);
        CU_ASSERT_EQUAL(came.by_mail, !bounced);
        CU_ASSERT_STRING_EQUAL(of_nobody(), bounced ? "" : "system mail pending true " NOBODY);
        CU_ASSERT_STRING_EQUAL(
            value("SELECT string_agg(subject || ' ' || in_reply_to, ', ') FROM delivery_mails"),
            bounced ? "" : "Lawyers m1@customer.example");
        end_test();
    }
}

/* What stands in its way; the rota is over all the same. */
static void the_customer_is_told_nothing(void)
{
    static const char *const ways[] = {
        "UPDATE escalations SET promised = NULL",
        "UPDATE escalations SET promised = ''",
        "UPDATE conversations SET held_by = 'x', held_at = clock_timestamp() WHERE id ="
        " (SELECT conversation_id FROM escalations)",
        "UPDATE channel_sessions SET kind = 'voice'",
        "UPDATE channels SET removed_at = clock_timestamp()",
        "UPDATE deliveries SET state = 'suppressed', settled_at = clock_timestamp()"
        " WHERE author = 'ai'",
        "INSERT INTO consents (tenant_id, sender, address, state, source, changed_at) SELECT "
        "s.tenant_id,"
        " c.address, s.remote_address, 'opted_out', 'keyword', clock_timestamp() FROM escalations e"
        " JOIN turns t ON t.id = e.turn_id JOIN channel_sessions s ON s.id = t.session_id"
        " JOIN channels c ON c.id = s.channel_id",
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        begin_rota();
        struct rota_rest rest = asked_in_vain();
        run(ways[i]);
        struct rota_rested came = write_rest(&rest);
        if (!came.nobody || !uuid_is_nil(&came.session))
            printf("    %s\n", ways[i]);
        CU_ASSERT_TRUE(came.nobody);
        CU_ASSERT_TRUE(uuid_is_nil(&came.session));
        CU_ASSERT_STRING_EQUAL(of_nobody(), "");
        CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:nobody_accepted:1");
        end_test();
    }
}

/* Everybody has opted out, so that the rota is over before the turn has said that it asks: what is
 * said next would be the later word. */
static void the_turn_speaks_first(void)
{
    begin_rota();
    struct rota_rest rest = asked_in_vain();
    run("UPDATE turns SET state = 'running'");
    CU_ASSERT_FALSE(write_rest(&rest).nobody);
    CU_ASSERT_STRING_EQUAL(rows(), "policy_word:open:running:1");
    CU_ASSERT_STRING_EQUAL(value("SELECT worker IS NULL AND due_at < clock_timestamp()"
                                 " + interval '2 s' FROM jobs"),
                           "t");
    end_test();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("rota, nobody accepts", open_server, rig_end_server);
    CU_add_test(suite, "the customer is told once", the_customer_is_told_once);
    CU_add_test(suite, "by mail", by_mail);
    CU_add_test(suite, "the customer is told nothing", the_customer_is_told_nothing);
    CU_add_test(suite, "the turn speaks first", the_turn_speaks_first);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
