/* The clock of an STM32: the PLL on the internal oscillator, so that no crystal of a board matters. */
#include "jrg_boot.h"  // jrg_port_boot_block
#include "jrg_stm32.h" // JRG_STM32_RCC

#define RCC_CONTROL JRG_REGISTER(JRG_STM32_RCC)
#define FLASH_ACCESS JRG_REGISTER(JRG_STM32_FLASH)
enum { PLL_ON = 1 << 24, PLL_READY = 1 << 25, LOOPS = 100000 };

#if JRG_BOARD_FAMILY == 1
/* RM0008, 7.3.2: half of 8 MHz times JRG_BOARD_MULTIPLIER. APB1 may have 36 MHz, so it gets half. */
#define RCC_CONFIG JRG_REGISTER(JRG_STM32_RCC + 0x04u)
enum { AT_RESET_KHZ = 8000, FAST_KHZ = 4000 * JRG_BOARD_MULTIPLIER, FAST_UART_KHZ = FAST_KHZ };
enum { USE_PLL = 2, USES_PLL = 8, APB1_HALF = 4 << 8, WAIT_STATES = JRG_BOARD_WAIT_STATES };

static void set_pll(void)
{
    RCC_CONFIG = (JRG_BOARD_MULTIPLIER - 2u) << 18 | APB1_HALF;
}
#else
/* RM0090, 7.3.2 and RM0410, 5.3.2: 16 MHz / 16 * 336 / 2 = 168 MHz; the UART hangs on APB1, a quarter of it. */
#define RCC_PLL JRG_REGISTER(JRG_STM32_RCC + 0x04u)
#define RCC_CONFIG JRG_REGISTER(JRG_STM32_RCC + 0x08u)
enum { AT_RESET_KHZ = 16000, FAST_KHZ = 168000, FAST_UART_KHZ = FAST_KHZ / 4 };
enum { USE_PLL = 2, USES_PLL = 8, APB1_QUARTER = 5 << 10, APB2_HALF = 4 << 13, WAIT_STATES = 5 };

static void set_pll(void)
{
    RCC_PLL = 16u | 336u << 6 | 0u << 16 | 7u << 24;
    RCC_CONFIG = APB1_QUARTER | APB2_HALF;
}
#endif

static bool becomes(volatile uint32_t *state, uint32_t bits)
{
    for (uint32_t i = 0; i < LOOPS; i++)
        if ((*state & bits) == bits)
            return true;
    return false;
}

static bool start_pll(void)
{
    set_pll();
    RCC_CONTROL |= PLL_ON;
    if (!becomes(&RCC_CONTROL, PLL_READY))
        return false;
    FLASH_ACCESS = (FLASH_ACCESS & ~15u) | WAIT_STATES;
    RCC_CONFIG |= USE_PLL;
    return becomes(&RCC_CONFIG, USES_PLL);
}

/* The emulators have no clock generator; the launcher says what they run at. */
uint32_t jrg_stm32_start_clock(uint32_t *uart_khz)
{
    if (jrg_port_boot_block.magic == JRG_BOOT_MAGIC) {
        *uart_khz = jrg_port_boot_block.clock_khz;
        return jrg_port_boot_block.clock_khz;
    }
    const bool is_fast = start_pll();
    *uart_khz = is_fast ? (uint32_t)FAST_UART_KHZ : (uint32_t)AT_RESET_KHZ;
    return is_fast ? (uint32_t)FAST_KHZ : (uint32_t)AT_RESET_KHZ;
}
