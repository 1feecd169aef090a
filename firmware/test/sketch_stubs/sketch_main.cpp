// Runs a sketch on a computer. Standard input says what happens: "setup", "read VALUE" sets what the sensor reads (1.0 is
// full scale), "send TEXT" lets TEXT wait on the serial line and runs the loop, "loop MS" sets the time and runs it.
#include <Arduino.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

SerialStub Serial;

static std::string line; // waiting on the serial line
static unsigned long now_ms;
static int sensor;

void SerialStub::begin(unsigned long)
{
}

int SerialStub::available()
{
    return static_cast<int>(line.size());
}

int SerialStub::read()
{
    if (line.empty()) {
        return -1;
    }
    const int first = static_cast<unsigned char>(line[0]);
    line.erase(0, 1);
    return first;
}

long SerialStub::parseInt()
{
    char *end = nullptr;
    const long number = std::strtol(line.c_str(), &end, 10);
    line.erase(0, static_cast<size_t>(end - line.c_str()));
    return number;
}

void SerialStub::print(const char *text)
{
    std::cout << text;
}

void SerialStub::print(int number)
{
    std::cout << number;
}

void SerialStub::println(const char *text)
{
    std::cout << text << '\n';
}

void SerialStub::println(int number)
{
    std::cout << number << '\n';
}

int analogRead(uint8_t)
{
    return sensor;
}

unsigned long millis()
{
    return now_ms;
}

int main()
{
    std::string word;
    while (std::cin >> word) {
        if (word == "setup") {
            setup();
        } else if (word == "read") {
            double value = 0;
            std::cin >> value;
            sensor = static_cast<int>(value * 1023);
        } else if (word == "send") {
            std::cin >> line;
            loop();
        } else if (word == "loop") {
            std::cin >> now_ms;
            loop();
        }
    }
    return 0;
}
