/* ST Nucleo-64 with STM32F446RE: USART2, which the ST-Link makes a USB serial port of. */
#ifndef JRG_BOARD_H
#define JRG_BOARD_H

#define JRG_BOARD_FAMILY 4
#define JRG_BOARD_USART 0x40004400u
#define JRG_BOARD_RCC_USART JRG_STM32_RCC_APB1
enum { JRG_BOARD_USART_IRQ = 38, JRG_BOARD_RCC_USART_ON = 1 << 17 };
enum { JRG_BOARD_GPIO = 0, JRG_BOARD_PIN_TX = 2, JRG_BOARD_PIN_RX = 3 }; /* port A */

#endif
