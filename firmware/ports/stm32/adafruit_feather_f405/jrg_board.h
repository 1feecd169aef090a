/* Adafruit Feather STM32F405: USART3 on the pins TX and RX. */
#ifndef JRG_BOARD_H
#define JRG_BOARD_H

#define JRG_BOARD_FAMILY 4
#define JRG_BOARD_USART 0x40004800u
#define JRG_BOARD_RCC_USART JRG_STM32_RCC_APB1
enum { JRG_BOARD_USART_IRQ = 39, JRG_BOARD_RCC_USART_ON = 1 << 18 };
enum { JRG_BOARD_GPIO = 1, JRG_BOARD_PIN_TX = 10, JRG_BOARD_PIN_RX = 11 }; /* port B */

#endif
