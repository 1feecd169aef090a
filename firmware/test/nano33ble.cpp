// The Nano's port on a framework that only plays its part: what is sent, and when the watchdog is fed (docs/reference/watchdog.md).
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>
#include <nrf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jrg_app.h"
#include "jrg_port.h"

namespace
{

constexpr uint32_t kPacketBytes = 64;
constexpr size_t kMessageBytes = 200;

FicrStub ficr;
PowerStub power;
RngStub rng;
WdtStub wdt;

struct {
    bool connected;
    unsigned refusals_left; // of send_nb before each packet
    unsigned packets_left;  // until the host closes the port
    uint8_t got[2 * kMessageBytes];
    size_t got_bytes;
} host;

unsigned long now_ms;
unsigned hungry_turns; // waits of the framework that found the watchdog not fed since the one before

void check(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "not so: %s\n", what);
        exit(1);
    }
}

void expect_feed()
{
    hungry_turns += wdt.RR[0] != WDT_RR_RR_Reload;
    wdt.RR[0] = 0;
}

void plug_in(unsigned packets)
{
    host = {};
    host.connected = true;
    host.packets_left = packets;
    hungry_turns = 0;
    wdt.RR[0] = WDT_RR_RR_Reload;
}

void write_message(uint8_t (&message)[kMessageBytes])
{
    for (size_t i = 0; i < kMessageBytes; i++) {
        message[i] = static_cast<uint8_t>(7 * i);
    }
    jrg_port_write(message, kMessageBytes);
}

void test_a_slow_host_gets_everything_and_is_no_hang()
{
    uint8_t message[kMessageBytes];
    plug_in(100);
    write_message(message);
    check(host.got_bytes == kMessageBytes && memcmp(host.got, message, kMessageBytes) == 0, "all bytes came, in order");
    check(hungry_turns == 0, "the watchdog was fed at each turn");
}

void test_a_host_that_closes_the_port_ends_the_wait()
{
    uint8_t message[kMessageBytes];
    plug_in(2);
    write_message(message);
    check(host.got_bytes == 2 * kPacketBytes, "two packets came");
}

void test_nothing_waits_for_a_host_that_is_not_there()
{
    uint8_t message[kMessageBytes];
    plug_in(0);
    host.connected = false;
    write_message(message);
    check(host.got_bytes == 0, "nothing was sent");
}

void test_idling_feeds_for_as_long_as_it_lasts()
{
    plug_in(0);
    jrg_port_idle(20000);
    check(now_ms >= 20000, "it slept");
    check(hungry_turns == 0, "the watchdog was fed at each turn");
    wdt.RR[0] = 0;
    jrg_port_idle(0);
    check(wdt.RR[0] == WDT_RR_RR_Reload, "it feeds without a sleep too");
}

} // namespace

FicrStub *NRF_FICR = &ficr;
PowerStub *NRF_POWER = &power;
RngStub *NRF_RNG = &rng;
WdtStub *NRF_WDT = &wdt;
SerialStub Serial;
UsbSerialStub _SerialUSB;

bool UsbSerialStub::connected()
{
    return host.connected;
}

// Three refusals, then a packet.
void UsbSerialStub::send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool)
{
    *actual = 0;
    if (host.refusals_left > 0) {
        host.refusals_left--;
        return;
    }
    host.refusals_left = 3;
    *actual = size < kPacketBytes ? size : kPacketBytes;
    memcpy(host.got + host.got_bytes, buffer, *actual);
    host.got_bytes += *actual;
    host.connected = --host.packets_left > 0;
}

void SerialStub::begin(unsigned long)
{
}

int SerialStub::available()
{
    return 0;
}

int SerialStub::read()
{
    return -1;
}

SerialStub::operator bool()
{
    return host.connected;
}

unsigned long millis()
{
    return now_ms;
}

void delay(unsigned long milliseconds)
{
    now_ms += milliseconds;
    expect_feed();
}

void yield()
{
    expect_feed();
}

void jrg_app_start(void)
{
}

void jrg_app_serve(void)
{
}

int main()
{
    test_a_slow_host_gets_everything_and_is_no_hang();
    test_a_host_that_closes_the_port_ends_the_wait();
    test_nothing_waits_for_a_host_that_is_not_there();
    test_idling_feeds_for_as_long_as_it_lasts();
    return 0;
}
