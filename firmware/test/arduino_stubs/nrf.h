// Registers of the nRF52840 that the Nano port uses, named as in the vendor's header.
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
struct WdtStub {
    volatile uint32_t TASKS_START, CRV, RREN, CONFIG;
    volatile uint32_t RR[8];
};
extern FicrStub *NRF_FICR;
extern PowerStub *NRF_POWER;
extern RngStub *NRF_RNG;
extern WdtStub *NRF_WDT;
#define POWER_RESETREAS_RESETPIN_Msk (1UL << 0)
#define POWER_RESETREAS_DOG_Msk (1UL << 1)
#define POWER_RESETREAS_SREQ_Msk (1UL << 2)
#define POWER_RESETREAS_LOCKUP_Msk (1UL << 3)
#define WDT_CONFIG_SLEEP_Pos (0UL)
#define WDT_CONFIG_SLEEP_Run (1UL)
#define WDT_CONFIG_HALT_Pos (3UL)
#define WDT_CONFIG_HALT_Pause (0UL)
#define WDT_RREN_RR0_Msk (1UL << 0)
#define WDT_RR_RR_Reload (0x6E524635UL)
