/* Who is told of an assistant's version that was read, or could not be, and what is read of one. */
#include "unit/services/engine/bench.h"
#include "unit/services/engine/engine_rig.h"

/* Both waited for version 1; one of them began anew meanwhile, by version 2. Guard: waits_for;
 * without it a session is told of a chain that its calls are not counted by. */
static void a_session_is_told_of_its_own_version(void)
{
    bench_begin(2);
    struct session *stays = bench_turn(1, "{SM1}"), *anew = bench_turn(1, "{SM2}");
    CU_ASSERT_PTR_NULL(think_assistant(stays));
    CU_ASSERT_PTR_NULL(think_assistant(anew));
    anew->turn.assistant_version = 2;
    bench.retiring = true; /* then what the database did not answer is not asked again */
    pg_free(&bench.pg);
    CU_ASSERT_EQUAL(stays->state, TURN_COMMITTING); /* no model can be had */
    CU_ASSERT_EQUAL(anew->state, TURN_THINKING);
    bench_end();
}

#define ASSISTANT "00000000-0000-7000-8000-0000000000a1"
#define MODEL(name, rest)                                                                          \
    "{\"vendor\":\"" name "\",\"base_url\":\"https://" name "\",\"model\":\"" name "\"" rest "}"

static const struct assistant *assistant;

static bool is_read(void)
{
    const struct uuid nobody = uuid_new();
    assistant = assistants_get(engine.assistants, TENANT, ASSISTANT, 1, &nobody);
    return assistant != NULL;
}

/* As after a rollback to a version from before the last rotation of keys. Guard: read_models;
 * without it a good model behind a bad one is never asked. */
static void the_chain_goes_on_behind_what_cannot_be_read(void)
{
    begin_engine();
    run("INSERT INTO assistant_versions VALUES ('" TENANT "', '" ASSISTANT
        "', 1, '{\"models\":[" MODEL("locked", ",\"key_wrapped\":\"AAAA\"") "," MODEL("first", "") "," MODEL(
            "garbled",
            ",\"key_wrapped\":\"?\"") "," MODEL("newer",
                                                ",\"dialect\":\"telepathy\"") "," MODEL("second",
                                                                                        "") "]}', "
                                                                                            "'test'"
                                                                                            ")");
    CU_ASSERT_TRUE_FATAL(rig_until(is_read));
    CU_ASSERT_EQUAL_FATAL(assistant->model_count, 2);
    CU_ASSERT_STRING_EQUAL(assistant->models[0].model, "first");
    CU_ASSERT_EQUAL(assistant->models[0].number, 2); /* what the log calls it */
    CU_ASSERT_STRING_EQUAL(assistant->models[1].model, "second");
    CU_ASSERT_EQUAL(assistant->models[1].number, 5);
    end_engine();
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("assistants", open_server, rig_end_server);
    CU_add_test(suite, "its own version", a_session_is_told_of_its_own_version);
    CU_add_test(suite, "models that cannot be read", the_chain_goes_on_behind_what_cannot_be_read);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
