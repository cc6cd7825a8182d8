/* The tool stand-in; everything is in tool.c. */
#include "stands/tool/tool.h"

int main(int argc, char **argv)
{
    return tool_main(argc, argv);
}
