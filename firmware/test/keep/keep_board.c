/* What keeps a state on a board: its port's flash functions and jrg_keep, as they are in the firmware. Tests call them one by
 * one on an emulated core (tests/firmware/test_keep_drivers.py); main is never run. */
#include "jrg_keep.h"
#include "jrg_port.h"

int main(void)
{
    static uint32_t words[4], erases;
    static const uint8_t key[JRG_KEEP_KEY_BYTES];
    const jrg_keep_part part = {words, sizeof words};
    const jrg_keep_flash *flash = jrg_port_flash();
    if (jrg_keep_load(flash, key, &part, 1) == JRG_KEEP_OK)
        return (int)jrg_keep_saves(flash);
    return (int)jrg_keep_save(flash, key, &part, 1, &erases);
}
