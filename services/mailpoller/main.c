/* frontdesk-mailpoller: reads mailboxes and publishes their mails. */
#include "mailpoller.h"

int main(int argc, char **argv)
{
    return mailpoller_main(argc, argv);
}
