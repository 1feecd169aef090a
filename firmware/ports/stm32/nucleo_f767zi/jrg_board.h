/* ST Nucleo-144 with STM32F767ZI: USART3, which the ST-Link makes a USB serial port of. */
#ifndef JRG_BOARD_H
#define JRG_BOARD_H

#define JRG_BOARD_FAMILY 7
#define JRG_BOARD_USART 0x40004800u
#define JRG_BOARD_RCC_USART JRG_STM32_RCC_APB1
enum { JRG_BOARD_USART_IRQ = 39, JRG_BOARD_RCC_USART_ON = 1 << 18 };
enum { JRG_BOARD_GPIO = 3, JRG_BOARD_PIN_TX = 8, JRG_BOARD_PIN_RX = 9 }; /* port D */

#endif
