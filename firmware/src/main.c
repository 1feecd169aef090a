/* The whole program of a board without a framework of its own. */
#include "jrg_app.h"
#include "jrg_port.h"

int main(int argc, char **argv)
{
    jrg_port_start(argc, argv);
    jrg_app_start();
    for (;;)
        jrg_app_serve();
}
