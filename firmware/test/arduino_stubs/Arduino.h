// What the Nano port calls of the Arduino framework, with the framework's signatures: enough to compile it without.
#pragma once
#include <stddef.h>
#include <stdint.h>

class SerialStub {
public:
    void begin(unsigned long baud);
    int available();
    int read();
    size_t write(const uint8_t *bytes, size_t len_bytes);
    operator bool();
};
extern SerialStub Serial;
unsigned long millis();
void delay(unsigned long milliseconds);
void setup();
void loop();
