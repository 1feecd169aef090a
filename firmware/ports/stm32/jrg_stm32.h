/* What differs between families of STM32: where registers are, and how a pin becomes a UART's (RM0008, RM0041: F1;
 * RM0090, RM0390: F4; RM0410: F7). A board's own header, jrg_board.h, says JRG_BOARD_FAMILY and its pins. */
#ifndef JRG_STM32_H
#define JRG_STM32_H

#include "jrg_board.h" // JRG_BOARD_FAMILY
#include "jrg_chip.h"  // JRG_REGISTER

#if JRG_BOARD_FAMILY == 1
#define JRG_STM32_RCC 0x40021000u
#define JRG_STM32_FLASH 0x40022000u
#define JRG_STM32_UID 0x1FFFF7E8u
#define JRG_STM32_RCC_STATE JRG_REGISTER(JRG_STM32_RCC + 0x24u)
#define JRG_STM32_GPIO(port) (0x40010800u + 0x400u * (port))
#define JRG_STM32_RCC_GPIO JRG_REGISTER(JRG_STM32_RCC + 0x18u)
#define JRG_STM32_RCC_GPIO_ON(port) (4u << (port))
#define JRG_STM32_RCC_APB1 JRG_REGISTER(JRG_STM32_RCC + 0x1Cu)
#define JRG_STM32_RCC_APB2 JRG_REGISTER(JRG_STM32_RCC + 0x18u)
#else
#define JRG_STM32_RCC 0x40023800u
#define JRG_STM32_FLASH 0x40023C00u
#define JRG_STM32_RCC_STATE JRG_REGISTER(JRG_STM32_RCC + 0x74u)
#define JRG_STM32_GPIO(port) (0x40020000u + 0x400u * (port))
#define JRG_STM32_RCC_GPIO JRG_REGISTER(JRG_STM32_RCC + 0x30u)
#define JRG_STM32_RCC_GPIO_ON(port) (1u << (port))
#define JRG_STM32_RCC_APB1 JRG_REGISTER(JRG_STM32_RCC + 0x40u)
#define JRG_STM32_RCC_APB2 JRG_REGISTER(JRG_STM32_RCC + 0x44u)
#if JRG_BOARD_FAMILY == 4
#define JRG_STM32_UID 0x1FFF7A10u
#else
#define JRG_STM32_UID 0x1FF0F420u
#endif
#endif

/* The UART of F1 and F4, and the newer one of F7. */
#if JRG_BOARD_FAMILY == 7
#define JRG_STM32_UART_STATE JRG_REGISTER(JRG_BOARD_USART + 0x1Cu)
#define JRG_STM32_UART_RX JRG_REGISTER(JRG_BOARD_USART + 0x24u)
#define JRG_STM32_UART_TX JRG_REGISTER(JRG_BOARD_USART + 0x28u)
#define JRG_STM32_UART_BAUD JRG_REGISTER(JRG_BOARD_USART + 0x0Cu)
#define JRG_STM32_UART_CONTROL JRG_REGISTER(JRG_BOARD_USART + 0x00u)
#define JRG_STM32_UART_OPTIONS JRG_REGISTER(JRG_BOARD_USART + 0x08u)
enum { JRG_STM32_UART_ON = 1, JRG_STM32_UART_NO_OVERRUN = 1 << 12 };
#else
#define JRG_STM32_UART_STATE JRG_REGISTER(JRG_BOARD_USART + 0x00u)
#define JRG_STM32_UART_RX JRG_REGISTER(JRG_BOARD_USART + 0x04u)
#define JRG_STM32_UART_TX JRG_REGISTER(JRG_BOARD_USART + 0x04u)
#define JRG_STM32_UART_BAUD JRG_REGISTER(JRG_BOARD_USART + 0x08u)
#define JRG_STM32_UART_CONTROL JRG_REGISTER(JRG_BOARD_USART + 0x0Cu)
#define JRG_STM32_UART_OPTIONS JRG_REGISTER(JRG_BOARD_USART + 0x14u)
enum { JRG_STM32_UART_ON = 1 << 13, JRG_STM32_UART_NO_OVERRUN = 0 };
#endif

/* jrg_clock.c: as fast as the board's header says, or as after a reset if the chip does not get there. Returns the
 * clock of the core; *uart_khz is that of the UART. */
uint32_t jrg_stm32_start_clock(uint32_t *uart_khz);

/* jrg_pins.c. */
void jrg_stm32_start_pins(void);

#endif
