/* frontdesk-responder: delivers replies and settles what became of them. */
#include "responder.h"

int main(int argc, char **argv)
{
    return responder_main(argc, argv);
}
