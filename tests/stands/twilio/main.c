/* The Twilio stand-in; everything is in twilio.c. */
#include "stands/twilio/twilio.h"

int main(int argc, char **argv)
{
    return twilio_main(argc, argv);
}
