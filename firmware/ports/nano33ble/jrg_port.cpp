// Arduino Nano 33 BLE (nRF52840), within the Arduino framework: USB serial, chip id, reset cause.
// docs/reference/boards.md says what of this port was tried and what was not.
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>
#include <nrf.h>

#include "jrg_app.h"
#include "jrg_port.h"

// 0 leaves the watchdog out; docs/reference/watchdog.md, W6, says why one may want that.
#ifndef JRG_PORT_WATCHDOG
#define JRG_PORT_WATCHDOG 1
#endif

// Between two feeds: many times the longest stretch of work (W4), and long enough for an upload (W6).
#ifndef JRG_PORT_WATCHDOG_MS
#define JRG_PORT_WATCHDOG_MS 60000
#endif

namespace
{

constexpr uint64_t kWatchdogHz = 32768;
constexpr unsigned long kBaud = 115200; // USB does not care; a monitor may ask
constexpr size_t kUidBytes = 8;

jrg_port_info info;

// nRF52840 product specification, WDT: while it runs it can be neither stopped nor set anew, and a soft reset lets it
// run on. It counts while the core sleeps, and not while a debugger holds the core.
void start_watchdog()
{
#if JRG_PORT_WATCHDOG
    NRF_WDT->CONFIG = WDT_CONFIG_SLEEP_Run << WDT_CONFIG_SLEEP_Pos | WDT_CONFIG_HALT_Pause << WDT_CONFIG_HALT_Pos;
    NRF_WDT->CRV = static_cast<uint32_t>(JRG_PORT_WATCHDOG_MS * kWatchdogHz / 1000 - 1);
    NRF_WDT->RREN = WDT_RREN_RR0_Msk;
    NRF_WDT->TASKS_START = 1;
#endif
}

// Without a watchdog of our own too: after a soft reset that of the image before may still run.
void feed_watchdog()
{
    NRF_WDT->RR[0] = WDT_RR_RR_Reload;
}

// nRF52840 product specification, FICR: 64 random bits of the factory.
void read_uid()
{
    const uint32_t words[2] = {NRF_FICR->DEVICEID[0], NRF_FICR->DEVICEID[1]};
    for (size_t i = 0; i < kUidBytes; i++) {
        info.uid[i] = static_cast<uint8_t>(words[i / 4] >> (8 * (i % 4)));
    }
    info.uid_len_bytes = kUidBytes;
}

// nRF52840 product specification, POWER: bits stay set until they are cleared by writing ones; none set is power-on.
jrg_reset_cause read_reset_cause()
{
    const uint32_t reasons = NRF_POWER->RESETREAS;
    NRF_POWER->RESETREAS = reasons;
    if (reasons & POWER_RESETREAS_DOG_Msk) {
        return JRG_RESET_CAUSE_WATCHDOG;
    }
    if (reasons & POWER_RESETREAS_LOCKUP_Msk) {
        return JRG_RESET_CAUSE_FAULT;
    }
    if (reasons & POWER_RESETREAS_SREQ_Msk) {
        return JRG_RESET_CAUSE_SOFTWARE;
    }
    return reasons & POWER_RESETREAS_RESETPIN_Msk ? JRG_RESET_CAUSE_PIN : JRG_RESET_CAUSE_POWER_ON;
}

uint8_t draw_byte()
{
    NRF_RNG->EVENTS_VALRDY = 0;
    while (NRF_RNG->EVENTS_VALRDY == 0) {
    }
    return static_cast<uint8_t>(NRF_RNG->VALUE);
}

uint16_t draw_boot_nonce()
{
    NRF_RNG->TASKS_START = 1;
    const uint8_t low = draw_byte();
    const uint8_t high = draw_byte();
    NRF_RNG->TASKS_STOP = 1;
    return static_cast<uint16_t>(low | high << 8);
}

} // namespace

void jrg_port_start(int, char **)
{
    start_watchdog();
    feed_watchdog();
    info.board = "nano33ble";
    info.reset_cause = read_reset_cause();
    info.boot_nonce = draw_boot_nonce();
    read_uid();
    Serial.begin(kBaud);
}

const jrg_port_info *jrg_port_identify(void)
{
    return &info;
}

uint32_t jrg_port_time_ms(void)
{
    return static_cast<uint32_t>(millis());
}

// With a full receive buffer the framework leaves packets to USB, which holds the host back.
size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes)
{
    size_t count = 0;
    while (count < capacity_bytes && Serial.available() > 0) {
        bytes[count++] = static_cast<uint8_t>(Serial.read());
    }
    return count;
}

// Nothing is sent while no host has the port open: the bytes are lost, as on a cable that is not plugged in.
// Packet by packet (W3): Serial.write() would wait inside the framework for a host that does not read.
void jrg_port_write(const uint8_t *bytes, size_t len_bytes)
{
    while (len_bytes > 0 && _SerialUSB.connected()) {
        uint32_t taken_bytes = 0;
        // The bytes are copied, not changed.
        _SerialUSB.send_nb(const_cast<uint8_t *>(bytes), static_cast<uint32_t>(len_bytes), &taken_bytes);
        bytes += taken_bytes;
        len_bytes -= taken_bytes;
        feed_watchdog();
        if (taken_bytes == 0) {
            yield();
        }
    }
}

// delay() lets the framework's idle thread put the core to sleep.
void jrg_port_idle(uint32_t timeout_ms)
{
    feed_watchdog();
    const uint32_t start_ms = jrg_port_time_ms();
    while (Serial.available() == 0 && jrg_port_time_ms() - start_ms < timeout_ms) {
        delay(1);
        feed_watchdog();
    }
}

// The core counts cycles, not instructions.
void jrg_port_count_start(void)
{
}

uint32_t jrg_port_count_stop(void)
{
    return 0;
}

// The stack belongs to the framework's main thread; its size is not ours to know.
void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    *size_bytes = 0;
    *free_bytes = 0;
}

// A monitor that opens the port sees the line only if it is said after that; L1.4 wants it before any frame.
void setup()
{
    jrg_port_start(0, nullptr);
    while (!Serial) {
        feed_watchdog();
    }
    jrg_app_start();
}

void loop()
{
    jrg_app_serve();
}
