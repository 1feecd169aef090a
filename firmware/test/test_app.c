/* The main loop (firmware/src/jrg_app.c) on a port that only counts. */
#include "jrg_app.h"
#include "jrg_port.h"
#include "jrg_test.h"

static struct {
    size_t received_bytes; /* handed over at the next read */
    unsigned idles;
    uint32_t idle_ms; /* of the newest idle */
} port;

void jrg_port_start(int argc, char **argv)
{
    (void)argc;
    (void)argv;
}

const jrg_port_info *jrg_port_identify(void)
{
    static const jrg_port_info info = {.board = "counting", .uid_len_bytes = 4};
    return &info;
}

uint32_t jrg_port_time_ms(void)
{
    return 0;
}

size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes)
{
    size_t count = port.received_bytes < capacity_bytes ? port.received_bytes : capacity_bytes;
    memset(bytes, 'x', count);
    return count;
}

void jrg_port_write(const uint8_t *bytes, size_t len_bytes)
{
    (void)bytes;
    (void)len_bytes;
}

void jrg_port_idle(uint32_t timeout_ms)
{
    port.idles++;
    port.idle_ms = timeout_ms;
}

void jrg_port_count_start(void)
{
}

uint32_t jrg_port_count_stop(void)
{
    return 0;
}

const jrg_keep_flash *jrg_port_flash(void)
{
    return NULL;
}

void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    *size_bytes = 0;
    *free_bytes = 0;
}

/* docs/reference/watchdog.md */
TEST(w2_the_main_loop_idles_each_time_round_even_if_the_host_never_pauses)
{
    jrg_app_start();
    port.received_bytes = 1000;
    for (unsigned round = 1; round <= 100; round++) {
        jrg_app_serve();
        CHECK_EQUAL(port.idles, round);
        CHECK_EQUAL(port.idle_ms, 0);
    }
}

TEST(w2_the_main_loop_sleeps_if_nothing_has_come)
{
    jrg_app_start();
    jrg_app_serve();
    CHECK_EQUAL(port.idles, 1);
    CHECK(port.idle_ms > 0);
}
