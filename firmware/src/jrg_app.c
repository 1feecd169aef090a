/* The firmware: one line for a person, then frames (docs/reference/protocol.md). */
#include "jrg_app.h"

#include <string.h>

#include "jrg_model.h"   // jrg_model
#include "jrg_node.h"    // jrg_node
#include "jrg_port.h"    // jrg_port_start
#include "jrg_version.h" // JRG_FIRMWARE_VERSION

enum { READ_BYTES = 256 };

_Static_assert(sizeof JRG_FIRMWARE_VERSION - 1u <= JRG_LIMIT_SHORT_TEXT_BYTES, "identity.firmware");

static jrg_node node;

static void write_line(void *context, const uint8_t *bytes, size_t len_bytes)
{
    (void)context;
    jrg_port_write(bytes, len_bytes);
}

static void print(const char *text)
{
    jrg_port_write((const uint8_t *)text, strlen(text));
}

/* L1.4; the zero ends what a host would otherwise take for the beginning of a frame. */
static void greet(const jrg_port_info *port)
{
    const uint8_t end_of_line[] = {'\r', '\n', 0};
    print("jaragua " JRG_FIRMWARE_VERSION " ");
    print(port->board);
    print(" ");
    print(jrg_model.name);
    print(" protocol " JRG_PROTOCOL_TEXT);
    jrg_port_write(end_of_line, sizeof end_of_line);
}

static void start_node(const jrg_port_info *port)
{
    jrg_node_board board = {
        .firmware = JRG_FIRMWARE_VERSION,
        .build = JRG_FIRMWARE_BUILD,
        .board = port->board,
        .uid = port->uid,
        .uid_len_bytes = port->uid_len_bytes,
        .boot_nonce = port->boot_nonce,
        .reset_cause = port->reset_cause,
        .ram_bytes = port->ram_bytes,
        .flash_bytes = port->flash_bytes,
        .write = write_line,
        .count_start = jrg_port_count_start,
        .count_stop = jrg_port_count_stop,
        .stack = jrg_port_stack,
    };
    jrg_node_init(&node, &board);
}

void jrg_app_start(void)
{
    greet(jrg_port_identify());
    start_node(jrg_port_identify());
}

/* What has come is worked off before anything is sent on time. Idling feeds the watchdog, so it is done each time
 * round: a host can keep the board busy for long without a pause. */
void jrg_app_serve(void)
{
    uint8_t bytes[READ_BYTES];
    size_t len_bytes = jrg_port_read(bytes, sizeof bytes);
    if (len_bytes > 0) {
        jrg_node_receive(&node, bytes, len_bytes, jrg_port_time_ms());
        jrg_port_idle(0);
        return;
    }
    jrg_node_poll(&node, jrg_port_time_ms());
    jrg_port_idle(jrg_node_wait_ms(&node, jrg_port_time_ms()));
}
