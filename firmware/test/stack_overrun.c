/* A board that runs over its stack once, and says so after the restart (docs/design/emulator.md, Faults). */
#include <string.h>

#include "jrg_port.h"

static void say(const char *text)
{
    jrg_port_write((const uint8_t *)text, strlen(text));
}

/* Returning is safe, only the array reaches below the RAM: what is missed here goes on unseen. */
__attribute__((noinline)) static uint8_t overrun(void)
{
    volatile uint8_t more_than_the_stack[6000];
    more_than_the_stack[0] = 1;
    return more_than_the_stack[0];
}

int main(int argc, char **argv)
{
    jrg_port_start(argc, argv);
    if (jrg_port_identify()->reset_cause == JRG_RESET_CAUSE_FAULT) {
        say("restarted by a fault\n");
    } else {
        (void)overrun();
        say("overrun not seen\n");
    }
    for (;;)
        jrg_port_idle(1000);
}
