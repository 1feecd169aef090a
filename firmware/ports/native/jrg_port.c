/* The firmware as a process of a computer, on a pseudo terminal or on a serial device.
 *
 * usage: program [--uid HEX] [--flash FILE] [DEVICE]
 * FILE stands for the flash in which a board keeps its weights; it is made if it is not there.
 * Without DEVICE a new pseudo terminal is made and its path printed as the only line on stdout. */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#include "jrg_port.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { UID_BYTES = 8, LONGEST_WRITE_MS = 500, LONGEST_SLEEP_MS = 60000 };

static jrg_port_info info;
static int line = -1;
static int other_end = -1; /* held open, so that a host may come and go */
static int64_t started_ms;

enum { FLASH_PAGE_BYTES = 4096, FLASH_BYTES = 1 << 20, FLASH_ENDURANCE = 100000 };
static uint8_t *flash_bytes; /* NULL: none */

_Noreturn static void give_up(const char *what, const char *which)
{
    fprintf(stderr, "jaragua board: %s %s: %s\n", what, which, strerror(errno));
    exit(1);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void set_raw(int descriptor)
{
    struct termios mode;
    if (tcgetattr(descriptor, &mode) != 0)
        return; /* not a terminal: nothing to set */
    cfmakeraw(&mode);
    if (tcsetattr(descriptor, TCSANOW, &mode) != 0)
        give_up("cannot set the mode of", "the line");
}

static void open_device(const char *path)
{
    line = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line < 0)
        give_up("cannot open", path);
    set_raw(line);
}

static void open_pseudo_terminal(void)
{
    line = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (line < 0 || grantpt(line) != 0 || unlockpt(line) != 0)
        give_up("cannot make", "a pseudo terminal");
    const char *path = ptsname(line);
    other_end = open(path, O_RDWR | O_NOCTTY);
    if (other_end < 0)
        give_up("cannot open", path);
    set_raw(other_end);
    printf("%s\n", path);
    fflush(stdout);
}

static void random_bytes(void *bytes, size_t len_bytes)
{
    if (getrandom(bytes, len_bytes, 0) != (ssize_t)len_bytes)
        give_up("cannot draw", "random bytes");
}

static void read_uid(const char *text)
{
    for (unsigned i = 0; i < UID_BYTES; i++) {
        unsigned byte = 0;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            fprintf(stderr, "jaragua board: --uid takes %d hexadecimal digits, not '%s'\n", 2 * UID_BYTES, text);
            exit(2);
        }
        info.uid[i] = (uint8_t)byte;
    }
}

static void open_flash(const char *path)
{
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat state;
    if (file < 0 || fstat(file, &state) != 0)
        give_up("cannot open", path);
    const bool is_new = state.st_size < FLASH_BYTES;
    if (is_new && ftruncate(file, FLASH_BYTES) != 0)
        give_up("cannot make", path);
    flash_bytes = mmap(NULL, FLASH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (flash_bytes == MAP_FAILED)
        give_up("cannot map", path);
    if (is_new)
        memset(flash_bytes, 0xFF, FLASH_BYTES);
    close(file);
}

static void read_arguments(int argc, char **argv)
{
    const char *device = NULL;
    random_bytes(info.uid, UID_BYTES);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--uid") == 0 && i + 1 < argc && strlen(argv[i + 1]) == 2 * UID_BYTES)
            read_uid(argv[++i]);
        else if (strcmp(argv[i], "--flash") == 0 && i + 1 < argc)
            open_flash(argv[++i]);
        else if (argv[i][0] != '-' && device == NULL)
            device = argv[i];
        else {
            fprintf(stderr, "usage: %s [--uid 16 hexadecimal digits] [--flash FILE] [DEVICE]\n", argv[0]);
            exit(2);
        }
    }
    if (device != NULL)
        open_device(device);
    else
        open_pseudo_terminal();
}

void jrg_port_start(int argc, char **argv)
{
    info.board = "native";
    info.uid_len_bytes = UID_BYTES;
    info.reset_cause = JRG_RESET_CAUSE_POWER_ON;
    random_bytes(&info.boot_nonce, sizeof info.boot_nonce);
    started_ms = monotonic_ms();
    read_arguments(argc, argv);
}

const jrg_port_info *jrg_port_identify(void)
{
    return &info;
}

uint32_t jrg_port_time_ms(void)
{
    return (uint32_t)(monotonic_ms() - started_ms);
}

static bool wait_for(short events, int timeout_ms)
{
    struct pollfd wanted = {.fd = line, .events = events};
    return poll(&wanted, 1, timeout_ms) > 0;
}

/* The process ends with its line: a device that was unplugged, a terminal whose owner has gone. */
static void end_if_gone(ssize_t result)
{
    if (result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR))
        exit(0);
}

size_t jrg_port_read(uint8_t *bytes, size_t capacity_bytes)
{
    ssize_t count = read(line, bytes, capacity_bytes);
    if (count > 0)
        return (size_t)count;
    end_if_gone(count);
    return 0;
}

/* With nobody reading the other end fills up; then bytes are lost, as on a cable that is not plugged in. */
void jrg_port_write(const uint8_t *bytes, size_t len_bytes)
{
    while (len_bytes > 0) {
        ssize_t count = write(line, bytes, len_bytes);
        if (count < 0) {
            end_if_gone(count);
            if (!wait_for(POLLOUT, LONGEST_WRITE_MS))
                return;
            continue;
        }
        bytes += count;
        len_bytes -= (size_t)count;
    }
}

void jrg_port_idle(uint32_t timeout_ms)
{
    (void)wait_for(POLLIN, (int)(timeout_ms < LONGEST_SLEEP_MS ? timeout_ms : LONGEST_SLEEP_MS));
}

/* A computer's own instructions say nothing of a board's. */
void jrg_port_count_start(void)
{
}

uint32_t jrg_port_count_stop(void)
{
    return 0;
}

void jrg_port_stack(uint32_t *size_bytes, uint32_t *free_bytes)
{
    *size_bytes = 0;
    *free_bytes = 0;
}

static void erase_page(uint32_t page)
{
    memset(flash_bytes + page * FLASH_PAGE_BYTES, 0xFF, FLASH_PAGE_BYTES);
}

static void write_words(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    memcpy(flash_bytes + offset_bytes, words, 4u * count);
}

const jrg_keep_flash *jrg_port_flash(void)
{
    static jrg_keep_flash flash;
    flash = (jrg_keep_flash){flash_bytes,     FLASH_PAGE_BYTES, FLASH_BYTES / FLASH_PAGE_BYTES,
                             FLASH_ENDURANCE, erase_page,       write_words};
    return flash_bytes == NULL ? NULL : &flash;
}
