// What the Nano port calls of the Arduino framework, with the framework's signatures: enough to compile it without.
#pragma once
#include <stddef.h>
#include <stdint.h>

class SerialStub
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    operator bool();
};
extern SerialStub Serial;
unsigned long millis();
void delay(unsigned long milliseconds);
void yield();
void setup();
void loop();
