// What the Nano port calls of the framework's USB serial line, with the framework's signatures.
#pragma once
#include <stdint.h>

class UsbSerialStub
{
  public:
    bool connected();
    void send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool now = true);
};
extern UsbSerialStub _SerialUSB;
