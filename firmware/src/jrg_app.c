/* The firmware: one line for a person, then frames (docs/reference/protocol.md). */
#include "jrg_app.h"

#include <string.h>

#include "jrg_keep.h"    // jrg_keep_save
#include "jrg_model.h"   // jrg_model
#include "jrg_node.h"    // jrg_node
#include "jrg_port.h"    // jrg_port_start
#include "jrg_version.h" // JRG_FIRMWARE_VERSION

enum { READ_BYTES = 256 };

/* Between two saves (K6). */
#ifndef JRG_APP_KEEP_PERIOD_MS
#define JRG_APP_KEEP_PERIOD_MS 600000u
#endif

_Static_assert(sizeof JRG_FIRMWARE_VERSION - 1u <= JRG_LIMIT_SHORT_TEXT_BYTES, "identity.firmware");

static jrg_node node;
static jrg_node_wear wear; /* K9 */

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
        .wear = &wear,
    };
    jrg_node_init(&node, &board);
}

/* Only this image's own weights are taken back: the key names its sources. */
static const uint8_t *key(void)
{
    static const uint8_t build[JRG_KEEP_KEY_BYTES] = JRG_FIRMWARE_BUILD;
    return build;
}

/* K8. parts: [JRG_NODE_KEPT_PARTS] */
static void list_parts(jrg_keep_part *parts)
{
    for (uint32_t i = 0; i < JRG_NODE_KEPT_PARTS; i++) {
        const jrg_node_part part = jrg_node_to_keep(&node, i);
        parts[i] = (jrg_keep_part){part.bytes, part.len_bytes};
    }
}

/* K4. */
static void take_back(void)
{
    jrg_keep_part parts[JRG_NODE_KEPT_PARTS];
    if (jrg_port_flash() == NULL)
        return;
    list_parts(parts);
    if (jrg_keep_load(jrg_port_flash(), key(), parts, JRG_NODE_KEPT_PARTS) == JRG_KEEP_OK)
        jrg_node_take_kept(&node);
    wear.saves = jrg_keep_saves(jrg_port_flash());
    wear.most_saves = jrg_keep_most_saves(jrg_port_flash());
}

/* K6: the first change after a start at once, later ones at most so often. */
static void keep_if_due(void)
{
    static uint32_t last_ms;
    static bool has_kept, gave_up; /* a flash that fails or is worn keeps what it has (K5) */
    if (!jrg_node_has_news(&node) || jrg_port_flash() == NULL || gave_up)
        return;
    if (has_kept && jrg_port_time_ms() - last_ms < JRG_APP_KEEP_PERIOD_MS)
        return;
    jrg_keep_part parts[JRG_NODE_KEPT_PARTS];
    list_parts(parts);
    gave_up = jrg_keep_save(jrg_port_flash(), key(), parts, JRG_NODE_KEPT_PARTS, &wear.erases) != JRG_KEEP_OK;
    wear.saves = jrg_keep_saves(jrg_port_flash());
    jrg_node_kept(&node);
    last_ms = jrg_port_time_ms();
    has_kept = true;
}

void jrg_app_start(void)
{
    greet(jrg_port_identify());
    start_node(jrg_port_identify());
    take_back();
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
    keep_if_due();
    jrg_port_idle(jrg_node_wait_ms(&node, jrg_port_time_ms()));
}
