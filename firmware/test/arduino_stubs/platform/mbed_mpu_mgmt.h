// What the Nano port calls of Mbed OS.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

void mbed_mpu_manager_lock_rom_write(void);
void mbed_mpu_manager_unlock_rom_write(void);

#ifdef __cplusplus
}
#endif
