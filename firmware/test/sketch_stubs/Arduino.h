// What a sketch of `jaragua compile --arduino` calls of the Arduino core, for a computer.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { A0 = 14 };

class SerialStub
{
  public:
    void begin(unsigned long baud);
    int available();
    int read();
    long parseInt();
    void print(const char *text);
    void print(int number);
    void println(const char *text);
    void println(int number);
};
extern SerialStub Serial;
int analogRead(uint8_t pin);
unsigned long millis();
void setup();
void loop();
