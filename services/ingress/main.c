/* frontdesk-ingress: verifies Twilio's webhooks and publishes them. */
#include "ingress.h"

int main(int argc, char **argv)
{
    return ingress_main(argc, argv);
}
