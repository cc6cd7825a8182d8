/* The model stand-in; everything is in model.c. */
#include "stands/model/model.h"

int main(int argc, char **argv)
{
    return model_main(argc, argv);
}
