/* A board that hangs when it is told to, and says at each start why it started (docs/design/emulator.md, Watchdog).
 * One letter chooses what it does; built with a short JRG_PORT_WATCHDOG_MS. */
#include <string.h>

#include "jrg_chip.h" // JRG_REGISTER

#define VECTOR_TABLE JRG_REGISTER(0xE000ED08u)
#define LONG_MS (10u * JRG_PORT_WATCHDOG_MS)

typedef void (*handler)(void);

static void say(const char *text)
{
    jrg_port_write((const uint8_t *)text, strlen(text));
}

static void say_number(uint32_t number)
{
    const uint8_t digit = (uint8_t)('0' + number % 10);
    if (number >= 10)
        say_number(number / 10);
    jrg_port_write(&digit, 1);
}

static void hang(void)
{
    for (;;) {
    }
}

static void hang_with_interrupts_off(void)
{
    __asm__ volatile("cpsid i");
    hang();
}

/* The frame of the NMI finds no room: what is below the RAM is forbidden. */
static void hang_with_a_broken_stack(void)
{
    extern uint32_t jrg_port_stack_end[];
    __asm__ volatile("cpsid i\n\tmov sp, %0\n\tb ." ::"r"(jrg_port_stack_end));
}

/* Nobody is left to answer the NMI: a table of vectors must lie on a border of 128 bytes. */
static void hang_with_a_dead_handler(void)
{
    __attribute__((aligned(128))) static const handler dead[] = {hang, hang, hang, hang, hang, hang, hang};
    VECTOR_TABLE = (uint32_t)(uintptr_t)dead;
    hang_with_interrupts_off();
}

static void only_wait(void)
{
    const uint32_t start_ms = jrg_port_time_ms();
    while (jrg_port_time_ms() - start_ms < LONG_MS)
        jrg_port_idle(LONG_MS);
    say("waited\n");
}

/* Until the host has not read for long. */
static void only_write(void)
{
    uint32_t start_ms;
    do {
        start_ms = jrg_port_time_ms();
        say(".");
    } while (jrg_port_time_ms() - start_ms < LONG_MS);
    say("written\n");
}

static void do_as_told(uint8_t letter)
{
    static const struct {
        uint8_t letter;
        handler work;
    } choices[] = {
        {'h', hang},
        {'i', hang_with_interrupts_off},
        {'s', hang_with_a_broken_stack},
        {'d', hang_with_a_dead_handler},
        {'w', only_wait},
        {'r', only_write},
    };
    for (unsigned i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (choices[i].letter == letter)
            choices[i].work();
}

int main(int argc, char **argv)
{
    uint8_t letter;
    jrg_port_start(argc, argv);
    say("started by ");
    say_number(jrg_port_identify()->reset_cause);
    say("\n");
    for (;;) {
        while (jrg_port_read(&letter, 1) == 1)
            do_as_told(letter);
        jrg_port_idle(LONG_MS);
    }
}
