/* Twilio's forms about a call, field by field; every truncation and alteration of good ones. */
#include "contract/twilio_call.h"

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/text.h"

#define CA "CA0123456789abcdef0123456789abcdef"
#define AC "AC00000000000000000000000000000101"
#define RE "RE00000000000000000000000000000007"
#define VX "VX00000000000000000000000000000001"
#define CALL                                                                                       \
    "CallSid=" CA "&AccountSid=" AC "&From=%2B15550001111&To=%2B15550002222&CallStatus=ringing"
#define URL "https%3A%2F%2Fapi.twilio.com%2F2010-04-01%2FAccounts%2F" AC "%2FRecordings%2F" RE

static struct arena *arena;

static struct form form_of(const char *text)
{
    struct form form = {0};
    struct err err;
    CU_ASSERT_EQUAL_FATAL(form_parse(arena, text, strlen(text), &form, &err), 0);
    return form;
}

/* ---- what is read ---- */

static void test_call(void)
{
    struct form form = form_of(
        CALL "&Direction=inbound&ForwardedFrom=%2B15550003333&CallerName=Ann+M%C3%BCller&"
             "ParentCallSid=CAffffffffffffffffffffffffffffffff&StirVerstat=TN-Validation-Passed-A&"
             "AnsweredBy=machine_end_beep&ApiVersion=2010-04-01&CallToken=x&FromCity=&New=1");
    struct twilio_call call;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_call_read(&form, &call, &err), 0);
    CU_ASSERT_STRING_EQUAL(call.call_sid, CA);
    CU_ASSERT_STRING_EQUAL(call.account_sid, AC);
    CU_ASSERT_STRING_EQUAL(call.from, "+15550001111");
    CU_ASSERT_STRING_EQUAL(call.to, "+15550002222");
    CU_ASSERT_STRING_EQUAL(call.status, "ringing");
    CU_ASSERT_STRING_EQUAL(call.direction, "inbound");
    CU_ASSERT_STRING_EQUAL(call.forwarded_from, "+15550003333");
    CU_ASSERT_STRING_EQUAL(call.caller_name, "Ann M\xc3\xbcller");
    CU_ASSERT_STRING_EQUAL(call.parent_call_sid, "CAffffffffffffffffffffffffffffffff");
    CU_ASSERT_STRING_EQUAL(call.stir_verstat, "TN-Validation-Passed-A");
    CU_ASSERT_STRING_EQUAL(call.answered_by, "machine_end_beep");
}

/* What only informs is left out when it is doubled or of another shape; the call goes on. */
static void test_call_without_extras(void)
{
    static const char *const extras[] = {
        "",
        "&ForwardedFrom=&CallerName=&ParentCallSid=&StirVerstat=&AnsweredBy=&Direction=",
        "&ForwardedFrom=%0A&CallerName=%FF&ParentCallSid=CA1&StirVerstat=a+b&AnsweredBy=Human",
        "&CallerName=a&CallerName=a&ForwardedFrom=a&ForwardedFrom=b",
    };
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        struct form form = form_of(arena_printf(arena, "%s%s", CALL, extras[i]));
        struct twilio_call call;
        struct err err;
        CU_ASSERT_EQUAL_FATAL(twilio_call_read(&form, &call, &err), 0);
        CU_ASSERT_STRING_EQUAL(call.direction, "");
        CU_ASSERT_STRING_EQUAL(call.forwarded_from, "");
        CU_ASSERT_STRING_EQUAL(call.caller_name, "");
        CU_ASSERT_STRING_EQUAL(call.parent_call_sid, "");
        CU_ASSERT_STRING_EQUAL(call.stir_verstat, "");
        CU_ASSERT_STRING_EQUAL(call.answered_by, "");
    }
}

static void test_call_refused(void)
{
    static const struct {
        const char *form, *code; /* NULL: accepted */
    } cases[] = {
        {CALL, NULL},
        {"", "webhook.call_sid"},
        {"AccountSid=" AC "&From=%2B15550001111&To=%2B15550002222&CallStatus=ringing",
         "webhook.call_sid"},
        {"CallSid=&AccountSid=" AC "&To=%2B15550002222&CallStatus=ringing", "webhook.call_sid"},
        {"CallSid=CA1&AccountSid=" AC "&To=%2B15550002222&CallStatus=ringing", "webhook.call_sid"},
        {"CallSid=" CA "0&AccountSid=" AC "&To=%2B1&CallStatus=ringing", "webhook.call_sid"},
        {"CallSid=" RE "&AccountSid=" AC "&To=%2B1&CallStatus=ringing", "webhook.call_sid"},
        {"CallSid=" CA "%0A&AccountSid=" AC "&To=%2B1&CallStatus=ringing", "webhook.call_sid"},
        {CALL "&CallSid=" CA, "webhook.call_sid"},
        {"CallSid=" CA "&To=%2B15550002222&CallStatus=ringing", "webhook.account_sid"},
        {CALL "&AccountSid=" AC, "webhook.account_sid"},
        /* a caller may be of any kind, and not told at all */
        {"CallSid=" CA "&AccountSid=" AC "&To=%2B15550002222&CallStatus=ringing", NULL},
        {"CallSid=" CA "&AccountSid=" AC "&From=&To=%2B15550002222&CallStatus=ringing", NULL},
        {"CallSid=" CA "&AccountSid=" AC "&From=client%3Aann&To=%2B1&CallStatus=in-progress", NULL},
        {"CallSid=" CA "&AccountSid=" AC "&From=Anonymous&To=sip%3Aa%40b&CallStatus=busy", NULL},
        {"CallSid=" CA "&AccountSid=" AC "&From=a%0Ab&To=%2B1&CallStatus=busy", "webhook.from"},
        {"CallSid=" CA "&AccountSid=" AC "&From=%C3&To=%2B1&CallStatus=busy", "webhook.from"},
        {CALL "&From=%2B15550001111", "webhook.from"},
        {CALL "&From=", "webhook.from"},
        {"CallSid=" CA "&AccountSid=" AC "&CallStatus=ringing", "webhook.to"},
        {"CallSid=" CA "&AccountSid=" AC "&To=&CallStatus=ringing", "webhook.to"},
        {"CallSid=" CA "&AccountSid=" AC "&To=%7F&CallStatus=ringing", "webhook.to"},
        {CALL "&To=%2B15550002222", "webhook.to"},
        {"CallSid=" CA "&AccountSid=" AC "&To=%2B1", "webhook.call_status"},
        {"CallSid=" CA "&AccountSid=" AC "&To=%2B1&CallStatus=", "webhook.call_status"},
        {"CallSid=" CA "&AccountSid=" AC "&To=%2B1&CallStatus=In+Progress", "webhook.call_status"},
        {"CallSid=" CA "&AccountSid=" AC "&To=%2B1&CallStatus=new-word", NULL},
        {CALL "&CallStatus=completed", "webhook.call_status"},
        {CALL "&Direction=inbound&Direction=inbound", "webhook.direction"},
        {CALL "&Direction=Inbound", "webhook.direction"},
        {CALL "&Direction=outbound-api", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form = form_of(cases[i].form);
        struct twilio_call call = {.status = "untouched"};
        struct err err = {0};
        int rc = twilio_call_read(&form, &call, &err);
        bool ok = cases[i].code == NULL
                      ? rc == 0
                      : rc == -1 && strcmp(err.code, cases[i].code) == 0 &&
                            err.class == ERR_PERMANENT && strcmp(call.status, "untouched") == 0;
        if (!ok)
            fprintf(stderr, "calls[%zu]: %d %s %s\n", i, rc, err.code, err.message);
        CU_ASSERT_TRUE(ok);
    }
}

static void test_input(void)
{
    static const struct {
        const char *form, *speech, *keys;
        int confidence_pm;
        const char *code;
    } cases[] = {
        {CALL, "", "", -1, NULL},
        {"SpeechResult=Hello+there&Confidence=0.8734", "Hello there", "", 873, NULL},
        {"SpeechResult=Gr%C3%BC%C3%9F&Confidence=1", "Gr\xc3\xbc\xc3\x9f", "", 1000, NULL},
        {"Digits=12*%23", "", "12*#", -1, NULL},
        {"SpeechResult=&Digits=&Confidence=", "", "", -1, NULL},
        {"Confidence=0", "", "", 0, NULL},
        {"Confidence=0.0", "", "", 0, NULL},
        {"Confidence=1.000", "", "", 1000, NULL},
        {"Confidence=0.9", "", "", 900, NULL},
        {"Confidence=0.0009", "", "", 0, NULL},
        {"Confidence=1.001", "", "", -1, NULL},
        {"Confidence=2", "", "", -1, NULL},
        {"Confidence=-0.5", "", "", -1, NULL},
        {"Confidence=.5", "", "", -1, NULL},
        {"Confidence=0.", "", "", -1, NULL},
        {"Confidence=0,5", "", "", -1, NULL},
        {"Confidence=0.5e1", "", "", -1, NULL},
        {"Confidence=nan", "", "", -1, NULL},
        {"Confidence=0.00000000000000000000000000000000001", "", "", -1, NULL},
        {"Confidence=0.5&Confidence=0.5", "", "", -1, NULL},
        {"SpeechResult=a%FF", NULL, NULL, 0, "webhook.speech_result"},
        {"SpeechResult=a&SpeechResult=b", NULL, NULL, 0, "webhook.speech_result"},
        {"Digits=1&Digits=1", NULL, NULL, 0, "webhook.digits"},
        {"Digits=12x", NULL, NULL, 0, "webhook.digits"},
        {"Digits=%2B1", NULL, NULL, 0, "webhook.digits"},
        {"Digits=hangup", NULL, NULL, 0, "webhook.digits"},
        {"Digits=11111111111111111111111111111111111111111111111111111111111111111", NULL, NULL, 0,
         "webhook.digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form = form_of(cases[i].form);
        struct twilio_call_input input = {.confidence_pm = 77};
        struct err err = {0};
        int rc = twilio_call_read_input(arena, &form, &input, &err);
        CU_ASSERT_EQUAL(rc, cases[i].code == NULL ? 0 : -1);
        if (rc != 0 || cases[i].code != NULL) {
            CU_ASSERT_STRING_EQUAL(err.code, cases[i].code != NULL ? cases[i].code : "none");
            CU_ASSERT_EQUAL(input.confidence_pm, 77);
            continue;
        }
        CU_ASSERT_STRING_EQUAL(input.speech, cases[i].speech);
        CU_ASSERT_STRING_EQUAL(input.keys, cases[i].keys);
        if (input.confidence_pm != cases[i].confidence_pm)
            fprintf(stderr, "%s: %d\n", cases[i].form, input.confidence_pm);
        CU_ASSERT_EQUAL(input.confidence_pm, cases[i].confidence_pm);
    }
}

/* What was said is cut, never within a character, rather than refused. */
static void test_long_speech(void)
{
    struct strbuf text;
    struct twilio_call_input input;
    struct err err;
    strbuf_init(&text, 1 << 20);
    strbuf_add_text(&text, "SpeechResult=");
    for (int i = 0; i < 2000; i++)
        strbuf_add_text(&text, "%E2%82%AC");
    struct form form = form_of(text.data);
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_input(arena, &form, &input, &err), 0);
    CU_ASSERT_EQUAL(strlen(input.speech), 4095);
    CU_ASSERT_TRUE(text_is_utf8(input.speech, 4095));
    strbuf_fini(&text);
}

static void test_relayed(void)
{
    struct form form = form_of(CALL "&SessionId=" VX "&SessionStatus=failed&SessionDuration=17&"
                                    "HandoffData=%7B%22do%22%3A%22dial%22%7D&ErrorCode=39001&"
                                    "ErrorMessage=no+socket");
    struct twilio_call_relayed relayed;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_relayed(arena, &form, &relayed, &err), 0);
    CU_ASSERT_STRING_EQUAL(relayed.session_id, VX);
    CU_ASSERT_STRING_EQUAL(relayed.status, "failed");
    CU_ASSERT_STRING_EQUAL(relayed.handoff, "{\"do\":\"dial\"}");
    CU_ASSERT_EQUAL(relayed.duration_s, 17);
    CU_ASSERT_STRING_EQUAL(relayed.error_code, "39001");
    CU_ASSERT_STRING_EQUAL(relayed.error_message, "no socket");
    form = form_of("SessionStatus=ended&SessionId=x&SessionDuration=-1&ErrorCode=x&ErrorMessage="
                   "a%0Ab");
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_relayed(arena, &form, &relayed, &err), 0);
    CU_ASSERT_STRING_EQUAL(relayed.session_id, "");
    CU_ASSERT_STRING_EQUAL(relayed.handoff, "");
    CU_ASSERT_EQUAL(relayed.duration_s, -1);
    CU_ASSERT_STRING_EQUAL(relayed.error_code, "");
    CU_ASSERT_STRING_EQUAL(relayed.error_message, "");
    static const struct {
        const char *form, *code;
    } refused[] = {
        {CALL, "webhook.session_status"},
        {"SessionStatus=", "webhook.session_status"},
        {"SessionStatus=ended&SessionStatus=ended", "webhook.session_status"},
        {"SessionStatus=Ended", "webhook.session_status"},
        {"SessionStatus=ended&HandoffData=%FF", "webhook.handoff_data"},
        {"SessionStatus=ended&HandoffData=a&HandoffData=a", "webhook.handoff_data"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        form = form_of(refused[i].form);
        CU_ASSERT_EQUAL(twilio_call_read_relayed(arena, &form, &relayed, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, refused[i].code);
    }
    for (size_t over = 0; over < 2; over++) {
        struct strbuf text;
        strbuf_init(&text, 1 << 20);
        strbuf_add_text(&text, "SessionStatus=ended&HandoffData=");
        for (size_t i = 0; i < TWILIO_CALL_HANDOFF_MAX + over; i++)
            strbuf_add_char(&text, 'x');
        strbuf_add_text(&text, "&ErrorMessage=");
        for (size_t i = 0; i < 3000; i++)
            strbuf_add_char(&text, 'y');
        form = form_of(text.data);
        CU_ASSERT_EQUAL(twilio_call_read_relayed(arena, &form, &relayed, &err), over ? -1 : 0);
        CU_ASSERT_EQUAL(strlen(relayed.error_message), TWILIO_CALL_PROBLEM_MAX);
        strbuf_fini(&text);
    }
}

static void test_dialled(void)
{
    struct form form =
        form_of("DialCallStatus=completed&DialCallSid=" CA "&DialCallDuration=61&DialBridged=true");
    struct twilio_call_dialled dialled;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_dialled(&form, &dialled, &err), 0);
    CU_ASSERT_STRING_EQUAL(dialled.status, "completed");
    CU_ASSERT_STRING_EQUAL(dialled.call_sid, CA);
    CU_ASSERT_EQUAL(dialled.duration_s, 61);
    CU_ASSERT_EQUAL(dialled.bridged, 1);
    form = form_of("DialCallStatus=no-answer&DialBridged=false");
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_dialled(&form, &dialled, &err), 0);
    CU_ASSERT_STRING_EQUAL(dialled.call_sid, "");
    CU_ASSERT_EQUAL(dialled.duration_s, -1);
    CU_ASSERT_EQUAL(dialled.bridged, 0);
    form = form_of("DialCallStatus=busy&DialBridged=True&DialCallSid=CA1&DialCallDuration=1e3");
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_dialled(&form, &dialled, &err), 0);
    CU_ASSERT_STRING_EQUAL(dialled.call_sid, "");
    CU_ASSERT_EQUAL(dialled.duration_s, -1);
    CU_ASSERT_EQUAL(dialled.bridged, -1);
    static const char *const refused[] = {"", "DialCallStatus=", "DialCallStatus=No+Answer",
                                          "DialCallStatus=busy&DialCallStatus=busy"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        form = form_of(refused[i]);
        CU_ASSERT_EQUAL(twilio_call_read_dialled(&form, &dialled, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, "webhook.dial_call_status");
    }
}

#define WHO "CallSid=" CA "&AccountSid=" AC

static void test_detected(void)
{
    struct form form = form_of("CallSid=" CA "&AccountSid=" AC
                               "&AnsweredBy=machine_start&MachineDetectionDuration=3200");
    struct twilio_call_detected detected;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_detected(&form, &detected, &err), 0);
    CU_ASSERT_STRING_EQUAL(detected.call_sid, CA);
    CU_ASSERT_STRING_EQUAL(detected.account_sid, AC);
    CU_ASSERT_STRING_EQUAL(detected.answered_by, "machine_start");
    static const struct {
        const char *form, *code;
    } refused[] = {
        {"AccountSid=" AC "&AnsweredBy=human", "webhook.call_sid"},
        {"CallSid=" CA "&AccountSid=AC1&AnsweredBy=human", "webhook.account_sid"},
        {"CallSid=" CA "&AccountSid=" AC, "webhook.answered_by"},
        {"CallSid=" CA "&AccountSid=" AC "&AnsweredBy=A+machine", "webhook.answered_by"},
        {"CallSid=" CA "&AccountSid=" AC "&AnsweredBy=fax&AnsweredBy=human", "webhook.answered_by"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        form = form_of(refused[i].form);
        CU_ASSERT_EQUAL(twilio_call_read_detected(&form, &detected, &err), -1);
        CU_ASSERT_STRING_EQUAL(err.code, refused[i].code);
    }
    static const char *const machines[] = {"machine_start", "machine_end_beep",
                                           "machine_end_silence", "machine_end_other", "fax"};
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++)
        CU_ASSERT_TRUE(twilio_call_is_machine(machines[i]));
    CU_ASSERT_FALSE(twilio_call_is_machine("human"));
    CU_ASSERT_FALSE(twilio_call_is_machine("unknown"));
    CU_ASSERT_FALSE(twilio_call_is_machine(""));
}

static void test_recording(void)
{
    struct form form = form_of(CALL "&RecordingUrl=" URL "&RecordingDuration=12&Digits=hangup");
    struct twilio_call_recording recording;
    struct err err;
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_recording(&form, &recording, &err), 0);
    CU_ASSERT_STRING_EQUAL(recording.call_sid, CA);
    CU_ASSERT_STRING_EQUAL(recording.account_sid, AC);
    CU_ASSERT_STRING_EQUAL(recording.url,
                           "https://api.twilio.com/2010-04-01/Accounts/" AC "/Recordings/" RE);
    CU_ASSERT_STRING_EQUAL(recording.sid, "");
    CU_ASSERT_STRING_EQUAL(recording.status, "");
    CU_ASSERT_STRING_EQUAL(recording.ended_by, "hangup");
    CU_ASSERT_EQUAL(recording.duration_s, 12);
    form = form_of(WHO "&RecordingSid=" RE "&RecordingStatus=absent&RecordingChannels=1&"
                       "RecordingSource=RecordVerb");
    CU_ASSERT_EQUAL_FATAL(twilio_call_read_recording(&form, &recording, &err), 0);
    CU_ASSERT_STRING_EQUAL(recording.url, "");
    CU_ASSERT_STRING_EQUAL(recording.sid, RE);
    CU_ASSERT_STRING_EQUAL(recording.status, "absent");
    CU_ASSERT_EQUAL(recording.duration_s, -1);
    static const struct {
        const char *form, *code;
    } refused[] = {
        {"AccountSid=" AC "&RecordingSid=" RE, "webhook.call_sid"},
        {"CallSid=" CA "&RecordingSid=" RE, "webhook.account_sid"},
        {WHO, "webhook.recording_url"},
        {WHO "&Digits=1&RecordingDuration=3", "webhook.recording_url"},
        {WHO "&RecordingUrl=file%3A%2F%2F%2Fetc%2Fpasswd", "webhook.recording_url"},
        {WHO "&RecordingUrl=https%3A%2F%2Fa%2F%0D%0Ab", "webhook.recording_url"},
        {WHO "&RecordingUrl=https%3A%2F%2Fa+b", "webhook.recording_url"},
        {WHO "&RecordingUrl=" URL "&RecordingUrl=" URL, "webhook.recording_url"},
        {WHO "&RecordingSid=" CA, "webhook.recording_sid"},
        {WHO "&RecordingSid=RE1", "webhook.recording_sid"},
        {WHO "&RecordingSid=" RE "&RecordingStatus=Done", "webhook.recording_status"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        form = form_of(refused[i].form);
        CU_ASSERT_EQUAL(twilio_call_read_recording(&form, &recording, &err), -1);
        if (strcmp(err.code, refused[i].code) != 0)
            fprintf(stderr, "recordings[%zu]: %s\n", i, err.code);
        CU_ASSERT_STRING_EQUAL(err.code, refused[i].code);
    }
}

static void test_transcript(void)
{
#define OF_RECORDING WHO "&RecordingSid=" RE
    static const struct {
        const char *form, *text; /* NULL: refused */
        const char *code;
    } cases[] = {
        {OF_RECORDING "&TranscriptionStatus=completed&TranscriptionText=Call+me", "Call me", NULL},
        {OF_RECORDING "&TranscriptionStatus=failed&TranscriptionText=Call+me", "", NULL},
        {OF_RECORDING "&TranscriptionText=Call+me", "", NULL},
        {OF_RECORDING "&TranscriptionStatus=completed", "", NULL},
        {OF_RECORDING "&TranscriptionStatus=completed&TranscriptionText=%ff", "", NULL},
        {OF_RECORDING "&TranscriptionStatus=completed&TranscriptionText=a&TranscriptionText=b", "",
         NULL},
        {OF_RECORDING, "", NULL},
        {WHO "&TranscriptionStatus=completed", NULL, "webhook.recording_sid"},
        {WHO "&RecordingSid=RE1", NULL, "webhook.recording_sid"},
        {"AccountSid=" AC "&RecordingSid=" RE, NULL, "webhook.call_sid"},
        {"CallSid=" CA "&RecordingSid=" RE, NULL, "webhook.account_sid"},
    };
    struct twilio_call_transcript transcript;
    struct err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form = form_of(cases[i].form);
        int result = twilio_call_read_transcript(arena, &form, &transcript, &err);
        CU_ASSERT_EQUAL_FATAL(result, cases[i].text != NULL ? 0 : -1);
        if (cases[i].text == NULL) {
            CU_ASSERT_STRING_EQUAL(err.code, cases[i].code);
        } else {
            CU_ASSERT_STRING_EQUAL(transcript.text, cases[i].text);
            CU_ASSERT_STRING_EQUAL(transcript.recording_sid, RE);
        }
    }
}

static void test_duration(void)
{
    static const struct {
        const char *form;
        int64_t duration_s;
    } cases[] = {
        {"SequenceNumber=0&CallDuration=61", 61},
        {"SequenceNumber=3", -1},
        {"", -1},
        {"CallDuration=1.5", -1},
        {"CallDuration=604801", -1},
        {"CallDuration=1&CallDuration=2", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form = form_of(cases[i].form);
        CU_ASSERT_EQUAL(twilio_call_read_duration(&form), cases[i].duration_s);
    }
}

/* ---- damage ---- */

static bool is_within(const char *text, size_t max)
{
    return strlen(text) <= max && text_is_utf8(text, strlen(text));
}

/* Reads a form in every way and checks what was accepted; returns how many ways took it. */
static int read_all(const char *bytes, size_t length)
{
    struct form form;
    struct err err;
    struct twilio_call call;
    struct twilio_call_input input;
    struct twilio_call_relayed relayed;
    struct twilio_call_dialled dialled;
    struct twilio_call_recording recording;
    int taken = 0;
    if (form_parse(arena, bytes, length, &form, &err) != 0)
        return 0;
    if (twilio_call_read(&form, &call, &err) == 0) {
        taken++;
        CU_ASSERT_EQUAL(strlen(call.call_sid), 34);
        CU_ASSERT_TRUE(is_within(call.from, TWILIO_CALL_ADDRESS_MAX));
        CU_ASSERT_TRUE(is_within(call.to, TWILIO_CALL_ADDRESS_MAX) && call.to[0] != '\0');
        CU_ASSERT_TRUE(is_within(call.caller_name, TWILIO_CALL_ADDRESS_MAX));
    }
    if (twilio_call_read_input(arena, &form, &input, &err) == 0) {
        taken++;
        CU_ASSERT_TRUE(is_within(input.speech, TWILIO_CALL_SPEECH_MAX));
        CU_ASSERT_TRUE(is_within(input.keys, TWILIO_CALL_KEYS_MAX));
        CU_ASSERT_TRUE(input.confidence_pm >= -1 && input.confidence_pm <= 1000);
    }
    if (twilio_call_read_relayed(arena, &form, &relayed, &err) == 0) {
        taken++;
        CU_ASSERT_TRUE(is_within(relayed.handoff, TWILIO_CALL_HANDOFF_MAX));
        CU_ASSERT_TRUE(is_within(relayed.error_message, TWILIO_CALL_PROBLEM_MAX));
    }
    if (twilio_call_read_dialled(&form, &dialled, &err) == 0) {
        taken++;
        CU_ASSERT_TRUE(dialled.duration_s >= -1 && dialled.bridged >= -1);
    }
    if (twilio_call_read_recording(&form, &recording, &err) == 0) {
        taken++;
        CU_ASSERT_TRUE(is_within(recording.url, TWILIO_CALL_URL_MAX));
    }
    CU_ASSERT_TRUE(twilio_call_read_duration(&form) >= -1);
    return taken;
}

static void test_damage(void)
{
    static const char good[] =
        CALL "&Direction=inbound&CallerName=%C3%A9&SpeechResult=Gr%C3%BC%C3%9F&Confidence=0.87&"
             "Digits=1&SessionStatus=ended&HandoffData=%7B%7D&SessionDuration=9&"
             "DialCallStatus=busy&DialBridged=true&RecordingUrl=" URL "&RecordingSid=" RE
             "&RecordingDuration=3&SequenceNumber=2&Timestamp=Tue%2C+23+Nov+2026+09%3A08%3A07+"
             "%2B0000";
    static const char signs[] = "%&=+0F\x01\x80\xff";
    size_t length = strlen(good), taken = 0;
    CU_ASSERT_EQUAL(read_all(good, length), 5);
    for (size_t at = 0; at < length; at++) {
        taken += (size_t)read_all(good, at);
        for (size_t k = 0; k < 8 + sizeof signs - 1; k++) {
            char *bytes = arena_strdup(arena, good);
            bytes[at] = k < 8 ? (char)((unsigned char)bytes[at] ^ (1u << k)) : signs[k - 8];
            taken += (size_t)read_all(bytes, length);
            arena_reset(arena);
        }
    }
    CU_ASSERT_TRUE(taken > 1000);
}

static int set_up(void)
{
    arena = arena_new();
    return 0;
}

static int tear_down(void)
{
    arena_free(&arena);
    return 0;
}

int main(void)
{
    CU_initialize_registry();
    CU_pSuite suite = CU_add_suite("twilio_call", set_up, tear_down);
    CU_add_test(suite, "call", test_call);
    CU_add_test(suite, "call without extras", test_call_without_extras);
    CU_add_test(suite, "calls refused", test_call_refused);
    CU_add_test(suite, "input", test_input);
    CU_add_test(suite, "long speech", test_long_speech);
    CU_add_test(suite, "relayed", test_relayed);
    CU_add_test(suite, "dialled", test_dialled);
    CU_add_test(suite, "detected", test_detected);
    CU_add_test(suite, "recording", test_recording);
    CU_add_test(suite, "transcripts", test_transcript);
    CU_add_test(suite, "duration", test_duration);
    CU_add_test(suite, "damage", test_damage);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures > 0 ? 1 : 0;
}
