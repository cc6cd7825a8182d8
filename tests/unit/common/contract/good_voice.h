/* A good record of every event of a phone call, and the directory's record of a telephone number.
 */
#ifndef DESK_UNIT_CONTRACT_GOOD_VOICE_H
#define DESK_UNIT_CONTRACT_GOOD_VOICE_H

#include "contract/directory_voice.h"
#include "unit/common/contract/good.h"

#define CA     "CA00000000000000000000000000000301"
#define VX     "VX00000000000000000000000000000401"
#define RE     "RE00000000000000000000000000000501"
#define CALLER "+15550001111"
#define TURN   "018f9c3e-6000-7000-8000-000000000004"
#define DIAL   "018f9c3e-7000-7000-8000-000000000005"

#define CALL_ENVELOPE                                                                              \
    {                                                                                              \
        .source = "twilio/" AC, .tenant = TENANT, .time_ms = 1795424887123                         \
    }

/* A call by socket; in webhook mode relay_session is "". */
static inline struct voice_call relay_call(void)
{
    return (struct voice_call){.call_sid = CA,
                               .account_sid = AC,
                               .from = CALLER,
                               .to = "+15550002222",
                               .relay_session = VX,
                               .stream_partition = 7};
}

static inline struct voice_spoken of_turn(void)
{
    return (struct voice_spoken){id(TURN), 3, 1, 4, "We are open until five."};
}

static inline struct voice_setup a_setup(void)
{
    return (struct voice_setup){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .resumed = true,
        .forwarded_from = "+15550009999",
        .caller_name = "M. Keller",
        .attestation = "full",
        .gone_ms = 1234,
        .spoken = of_turn(),
    };
}

/* A call's first socket: nothing was heard yet. */
static inline struct voice_setup a_first_setup(void)
{
    struct voice_setup setup = a_setup();
    setup.resumed = false;
    setup.spoken = (struct voice_spoken){{{0}}, 0, 0, 0, NULL};
    return setup;
}

/* Webhook mode: the second request that waits for the answer to step 3. */
static inline struct voice_setup a_wait(void)
{
    struct voice_setup setup = a_setup();
    setup.call.relay_session = "";
    setup.step = 3;
    setup.wait = 2;
    return setup;
}

static inline struct voice_prompt a_prompt(void)
{
    return (struct voice_prompt){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .number = 5,
        .text = "Are you open on Sunday?",
        .lang = "en-US",
        .confidence_pm = 912,
    };
}

static inline struct voice_heard a_heard(void)
{
    return (struct voice_heard){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .reason = VOICE_INTERRUPT,
        .spoken = of_turn(),
        .spoken_ms = 1800,
    };
}

static inline struct voice_ended an_end(void)
{
    return (struct voice_ended){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .reason = VOICE_HUNG_UP,
        .duration_s = 61,
        .missed = true,
        .spoken = of_turn(),
    };
}

static inline struct voice_dialled a_dial(void)
{
    return (struct voice_dialled){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .dial = id(DIAL),
        .outcome = VOICE_REFUSED,
    };
}

static inline struct voice_answered an_answer(void)
{
    return (struct voice_answered){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .delivery = id(DIAL),
        .outcome = VOICE_ANSWER_ACCEPTED,
    };
}

static inline struct voice_recorded a_recording(void)
{
    return (struct voice_recorded){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .recording_sid = RE,
        .url = "https://api.twilio.com/2010-04-01/Accounts/" AC "/Recordings/" RE,
        .duration_s = 12,
        .why = VOICE_RECORD_CLOSED,
    };
}

static inline struct voice_transcribed a_transcript(void)
{
    return (struct voice_transcribed){
        .event = CALL_ENVELOPE,
        .call = relay_call(),
        .recording_sid = RE,
        .text = "My crown came off, please call me.",
    };
}

static inline struct voice_frame a_frame(void)
{
    return (struct voice_frame){
        .event = {.source = "frontdesk/engine", .tenant = TENANT, .time_ms = 1},
        .call_sid = CA,
        .turn = id(TURN),
        .turn_number = 2,
        .epoch = 1,
        .fence = 3,
        .seq = 4,
        .kind = VOICE_FRAME_TEXT,
        .text = "We are open until five.",
        .lang = "en-US",
    };
}

static inline struct directory_voice a_number(void)
{
    return (struct directory_voice){
        .mode = DIRECTORY_GATHER,
        .language = {"en-US", "Joanna-Neural", "Amazon", "Deepgram", "nova-3-general"},
        .languages = {{"de-DE", "Vicki-Neural", "Amazon", "", ""}, {.code = "es"}},
        .language_count = 2,
        .hints = "crown, root canal",
        .interruptible = DIRECTORY_INTERRUPT_SPEECH,
        .interrupt_sensitivity = DIRECTORY_SENSITIVITY_LOW,
        .consent_line = "This call is recorded.",
        .greeting = "Thank you for calling.",
        .fillers = {"One moment.", "Just a second,\nplease."},
        .filler_count = 2,
        .fallback = "I cannot look that up now.",
        .record_prompt = "Please leave a message after the tone.",
        .still_there = "Are you still there?",
        .not_understood = "Pardon?",
        .goodbye = "Goodbye.",
        .blocked = {"+15550003333"},
        .blocked_count = 1,
        .silence_ms = 30000,
        .speaking_rate = 150,
        .transfer_caller_id = "+15550002222",
    };
}

static inline struct directory_channel a_voice_channel(const struct directory_voice *voice)
{
    return (struct directory_channel){
        .event = {.source = "frontdesk/engine", .tenant = TENANT, .time_ms = 1},
        .version = 3,
        .channel = id(SESSION),
        .kind = "voice",
        .address = "+15550002222",
        .account_sid = AC,
        .sealed_keys = {"AAAA"},
        .sealed_key_count = 1,
        .voice = voice,
    };
}

static inline void good_voice_channel(struct bus_record *record)
{
    struct directory_voice voice = a_number();
    struct directory_channel in = a_voice_channel(&voice);
    directory_channel_encode(arena, "desk.", &in, record);
}

#define GOOD(name, type, make)                                                                     \
    static inline void good_##name(struct bus_record *record)                                      \
    {                                                                                              \
        struct voice_##type in = make();                                                           \
        voice_##type##_encode(arena, "desk.", &in, record);                                        \
    }
GOOD(setup, setup, a_setup)
GOOD(first, setup, a_first_setup)
GOOD(wait, setup, a_wait)
GOOD(prompt, prompt, a_prompt)
GOOD(heard, heard, a_heard)
GOOD(ended, ended, an_end)
GOOD(dialled, dialled, a_dial)
GOOD(answered, answered, an_answer)
GOOD(recorded, recorded, a_recording)
GOOD(transcribed, transcribed, a_transcript)
GOOD(frame, frame, a_frame)

#endif
