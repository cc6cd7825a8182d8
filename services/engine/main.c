/* frontdesk-engine: claims inbound events, runs turns, commits and publishes replies. */
#include "engine.h"

int main(int argc, char **argv)
{
    return engine_main(argc, argv);
}
