// Registers of the nRF52840 that the Nano port reads, named as in the vendor's header.
#pragma once
#include <stdint.h>

struct FicrStub {
    volatile uint32_t DEVICEID[2];
};
struct PowerStub {
    volatile uint32_t RESETREAS;
};
struct RngStub {
    volatile uint32_t TASKS_START, TASKS_STOP, EVENTS_VALRDY, VALUE;
};
extern FicrStub *NRF_FICR;
extern PowerStub *NRF_POWER;
extern RngStub *NRF_RNG;
#define POWER_RESETREAS_RESETPIN_Msk (1UL << 0)
#define POWER_RESETREAS_DOG_Msk (1UL << 1)
#define POWER_RESETREAS_SREQ_Msk (1UL << 2)
#define POWER_RESETREAS_LOCKUP_Msk (1UL << 3)
