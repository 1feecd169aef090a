// The framework that the Nano's flash functions call, for an emulated core: the model of the flash is told of both calls.
#include <nrf.h>
#include <platform/mbed_mpu_mgmt.h>

WdtStub *NRF_WDT = reinterpret_cast<WdtStub *>(0x40010000);

void mbed_mpu_manager_lock_rom_write(void)
{
    *reinterpret_cast<volatile uint32_t *>(0x400D0000) = 1;
}

void mbed_mpu_manager_unlock_rom_write(void)
{
    *reinterpret_cast<volatile uint32_t *>(0x400D0000) = 0;
}
