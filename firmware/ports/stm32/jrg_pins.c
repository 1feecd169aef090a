/* The two pins of the line. */
#include "jrg_stm32.h" // JRG_STM32_GPIO

#define GPIO(offset) JRG_REGISTER(JRG_STM32_GPIO(JRG_BOARD_GPIO) + (offset))

#if JRG_BOARD_FAMILY == 1
/* RM0008, 9.2: four bits a pin; an output of the UART, and an input with a resistor to high. */
enum { UART_OUTPUT = 0xB, INPUT_PULLED = 0x8, OUTPUT_LEVEL = 0x0C };

static void set_mode(uint32_t pin, uint32_t mode)
{
    volatile uint32_t *modes = &GPIO(4u * (pin / 8u));
    *modes = (*modes & ~(15u << (4u * (pin % 8u)))) | mode << (4u * (pin % 8u));
}

void jrg_stm32_start_pins(void)
{
    JRG_STM32_RCC_GPIO |= JRG_STM32_RCC_GPIO_ON(JRG_BOARD_GPIO);
    GPIO(OUTPUT_LEVEL) |= 1u << JRG_BOARD_PIN_RX;
    set_mode(JRG_BOARD_PIN_TX, UART_OUTPUT);
    set_mode(JRG_BOARD_PIN_RX, INPUT_PULLED);
}
#else
/* RM0090, 8.4: the mode, a resistor to high, and which function the pin has. */
enum { MODE = 0x00, PULL = 0x0C, FUNCTION = 0x20, FUNCTION_MODE = 2, PULL_UP = 1, FUNCTION_UART = 7 };

static void set_bits(uint32_t offset, uint32_t pin, uint32_t width, uint32_t value)
{
    const uint32_t shift = pin * width % 32u;
    volatile uint32_t *word = &GPIO(offset + 4u * (pin * width / 32u));
    *word = (*word & ~(((1u << width) - 1u) << shift)) | value << shift;
}

static void set_function(uint32_t pin)
{
    set_bits(FUNCTION, pin, 4, FUNCTION_UART);
    set_bits(PULL, pin, 2, PULL_UP);
    set_bits(MODE, pin, 2, FUNCTION_MODE);
}

void jrg_stm32_start_pins(void)
{
    JRG_STM32_RCC_GPIO |= JRG_STM32_RCC_GPIO_ON(JRG_BOARD_GPIO);
    set_function(JRG_BOARD_PIN_TX);
    set_function(JRG_BOARD_PIN_RX);
}
#endif
