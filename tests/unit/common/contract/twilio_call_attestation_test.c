/* Unit tests of what Twilio says of a caller's number. */
#include <CUnit/Basic.h>

#include "contract/twilio_call.h"

/* Twilio's words, and what it may say tomorrow. */
static void attestations(void)
{
    static const char *const words[][2] = {{"TN-Validation-Passed-A", "full"},
                                           {"TN-Validation-Passed-A-Diverted", "partial"},
                                           {"TN-Validation-Passed-B", "partial"},
                                           {"TN-Validation-Passed-C-Passthrough", "partial"},
                                           {"TN-Validation-Failed", "failed"},
                                           {"TN-Validation-Failed-A", "failed"},
                                           {"TN-Validation-Failed-C-Diverted", "failed"},
                                           {"No-TN-Validation", ""},
                                           {"TN-Validation-Pass", ""},
                                           {"", ""}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        CU_ASSERT_STRING_EQUAL(twilio_call_attestation(words[i][0]), words[i][1]);
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio_call_attestation", NULL, NULL);
    CU_add_test(suite, "attestations", attestations);
    CU_basic_run_tests();
    return CU_get_number_of_failures() != 0;
}
