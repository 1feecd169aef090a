/* Verifies Ed25519 signatures (docs/design/security.md, G33) of in.bin with firmware/lib/jrg_sign and writes what each took
 * to out.bin (jaragua_bench.signature).
 *
 * in.bin:  cases u32 | per case: public key 32 | signature 64 | message MESSAGE_BYTES
 * out.bin: per case: record */
#include "bench_board.h"
#include "jrg_ed25519.h"

/* What is signed of a blob: a label, two numbers, a topic and a SHA-256. */
enum { MESSAGE_BYTES = 160 };

struct record {
    uint32_t instructions;
    uint32_t stack_bytes;
    uint32_t is_valid;
};

static bool is_valid(const uint8_t *key, const uint8_t *signature, const uint8_t *message)
{
#ifdef BENCH_WITHOUT_VERIFICATION /* what all else takes of flash */
    return key[0] == signature[0] && signature[1] == message[0];
#else
    return jrg_ed25519_verifies(key, signature, message, MESSAGE_BYTES);
#endif
}

static void run_case(void)
{
    uint8_t key[JRG_ED25519_KEY_BYTES], signature[JRG_ED25519_SIGNATURE_BYTES], message[MESSAGE_BYTES];
    bench_board_read(key, sizeof key);
    bench_board_read(signature, sizeof signature);
    bench_board_read(message, sizeof message);
    const uint32_t top = bench_board_stack_pointer();
    bench_board_paint_stack();
    const uint32_t before = bench_board_ticks();
    const bool valid = is_valid(key, signature, message);
    const uint32_t after = bench_board_ticks();
    const struct record record = {bench_board_instructions(before, after), bench_board_stack_bytes(top), valid};
    bench_board_write(&record, sizeof record);
}

int main(void)
{
    uint32_t cases = 0;
    bench_board_open();
    bench_board_read(&cases, sizeof cases);
    for (uint32_t n = 0; n < cases; n++) {
        run_case();
    }
    bench_board_exit(BENCH_EXIT_OK);
}
