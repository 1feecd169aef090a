/* Blue Pill with STM32F103C8: USART1 on the pins A9 and A10. */
#ifndef JRG_BOARD_H
#define JRG_BOARD_H

#define JRG_BOARD_FAMILY 1
#define JRG_BOARD_USART 0x40013800u
#define JRG_BOARD_RCC_USART JRG_STM32_RCC_APB2
enum { JRG_BOARD_USART_IRQ = 37, JRG_BOARD_RCC_USART_ON = 1 << 14 };
enum { JRG_BOARD_GPIO = 0, JRG_BOARD_PIN_TX = 9, JRG_BOARD_PIN_RX = 10 }; /* port A */

/* 64 MHz, the most that the internal oscillator gives. */
enum { JRG_BOARD_MULTIPLIER = 16, JRG_BOARD_WAIT_STATES = 2 };

#endif
