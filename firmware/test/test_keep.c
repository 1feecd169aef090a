/* Saving over a power cut (docs/reference/keep.md): a flash of RAM whose power fails in the middle of any operation. */
#include "jrg_keep.h"
#include "jrg_test.h"

#include <setjmp.h>

enum { PAGE_BYTES = 128, PAGES = 8, STATE_WORDS = 70, CUTS = 12000, SAVES = 1000 };
enum { WORDS_PER_SAVE = STATE_WORDS + JRG_KEEP_HEADER_BYTES / 4, PAGES_PER_SAVE = 3 };

static _Alignas(4) uint8_t memory[PAGE_BYTES * PAGES];
static uint32_t erased[PAGES];
static uint32_t counted;         /* K9 */
static uint32_t operations_left; /* until the power fails */
static jmp_buf power_cut;
static uint32_t random_state = 1;

static uint32_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

static bool fails_now(void)
{
    return operations_left-- == 0;
}

/* Cut short, an erase leaves some bits set, some as they were, in any mixture. */
static void erase(uint32_t page)
{
    uint8_t *bytes = memory + page * PAGE_BYTES;
    const bool fails = fails_now();
    erased[page]++;
    for (uint32_t i = 0; i < PAGE_BYTES; i++)
        bytes[i] = fails ? (uint8_t)(bytes[i] | draw()) : 0xFF;
    if (fails)
        longjmp(power_cut, 1);
}

/* Cut short, a word has lost some of the bits that it should lose. */
static void write(uint32_t offset_bytes, const uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t stored;
        const bool fails = fails_now();
        memcpy(&stored, memory + offset_bytes + 4 * i, sizeof stored);
        stored &= fails ? words[i] | draw() : words[i];
        memcpy(memory + offset_bytes + 4 * i, &stored, sizeof stored);
        if (fails)
            longjmp(power_cut, 1);
    }
}

static const jrg_keep_flash flash = {memory, PAGE_BYTES, PAGES, 100000, erase, write};
static const uint8_t key[JRG_KEEP_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8};

typedef struct {
    uint32_t words[STATE_WORDS];
} state;

enum { PARTS = 4 };

/* As a board saves weights, whether there is a learner, prototypes and learner (K8). */
static void list_parts(state *what, jrg_keep_part parts[PARTS])
{
    static const uint32_t words[PARTS] = {40, 1, 12, STATE_WORDS - 53};
    uint32_t *at = what->words;
    for (unsigned i = 0; i < PARTS; i++) {
        parts[i] = (jrg_keep_part){at, 4 * words[i]};
        at += words[i];
    }
}

static jrg_keep_status save(state *what)
{
    jrg_keep_part parts[PARTS];
    list_parts(what, parts);
    return jrg_keep_save(&flash, key, parts, PARTS, &counted);
}

static jrg_keep_status load(state *what)
{
    jrg_keep_part parts[PARTS];
    list_parts(what, parts);
    return jrg_keep_load(&flash, key, parts, PARTS);
}

static void begin(void)
{
    memset(memory, 0xFF, sizeof memory);
    memset(erased, 0, sizeof erased);
    counted = 0;
    operations_left = UINT32_MAX;
}

static state drawn_state(void)
{
    state what;
    for (unsigned i = 0; i < STATE_WORDS; i++)
        what.words[i] = draw();
    return what;
}

static bool are_equal(const state *one, const state *other)
{
    return memcmp(one, other, sizeof *one) == 0;
}

TEST(k4_nothing_is_loaded_from_an_empty_flash)
{
    state what = drawn_state(), before = what;
    begin();
    CHECK_EQUAL(load(&what), JRG_KEEP_NOTHING);
    CHECK(are_equal(&what, &before));
    CHECK_EQUAL(jrg_keep_saves(&flash), 0);
}

TEST(k1_half_of_the_pages_are_a_slot)
{
    const uint32_t half = sizeof memory / 2;
    uint8_t first[sizeof memory / 2];
    state what = drawn_state();
    begin();
    CHECK_EQUAL(save(&what), JRG_KEEP_OK);
    CHECK(memory[0] != 0xFF);
    for (uint32_t i = half; i < sizeof memory; i++)
        CHECK_EQUAL(memory[i], 0xFF);
    memcpy(first, memory, half);
    CHECK_EQUAL(save(&what), JRG_KEEP_OK);
    CHECK(memcmp(first, memory, half) == 0);
    CHECK(memory[half] != 0xFF);
}

TEST(k3_what_was_saved_last_is_loaded)
{
    begin();
    for (unsigned i = 1; i <= 5; i++) {
        state what = drawn_state(), found;
        CHECK_EQUAL(save(&what), JRG_KEEP_OK);
        CHECK_EQUAL(load(&found), JRG_KEEP_OK);
        CHECK(are_equal(&what, &found));
        CHECK_EQUAL(jrg_keep_saves(&flash), i);
    }
}

TEST(k4_a_state_of_another_key_or_length_is_not_loaded)
{
    static const uint8_t other_key[JRG_KEEP_KEY_BYTES] = {9};
    state what = drawn_state();
    const jrg_keep_part whole = {what.words, sizeof what}, part = {what.words, 4};
    begin();
    CHECK_EQUAL(jrg_keep_save(&flash, key, &whole, 1, &counted), JRG_KEEP_OK);
    CHECK_EQUAL(jrg_keep_load(&flash, other_key, &whole, 1), JRG_KEEP_NOTHING);
    CHECK_EQUAL(jrg_keep_load(&flash, key, &part, 1), JRG_KEEP_NOTHING);
    CHECK_EQUAL(jrg_keep_load(&flash, key, &whole, 1), JRG_KEEP_OK);
}

TEST(k3_what_a_slot_has_no_room_for_is_refused)
{
    static uint32_t much[PAGE_BYTES * PAGES / 2 / 4];
    const jrg_keep_part parts = {much, sizeof much};
    begin();
    CHECK_EQUAL(jrg_keep_save(&flash, key, &parts, 1, &counted), JRG_KEEP_TOO_LARGE);
    CHECK_EQUAL(erased[0], 0);
    CHECK_EQUAL(counted, 0);
}

TEST(k5_a_worn_flash_is_not_written)
{
    jrg_keep_flash weak = flash;
    state what = drawn_state(), found;
    const jrg_keep_part parts = {what.words, sizeof what}, room = {found.words, sizeof found};
    begin();
    weak.endurance = 3;
    for (unsigned i = 0; i < 6; i++)
        CHECK_EQUAL(jrg_keep_save(&weak, key, &parts, 1, &counted), JRG_KEEP_OK);
    CHECK_EQUAL(jrg_keep_save(&weak, key, &parts, 1, &counted), JRG_KEEP_WORN);
    CHECK_EQUAL(erased[0], 3);
    CHECK_EQUAL(jrg_keep_most_saves(&weak), 6);
    CHECK_EQUAL(jrg_keep_saves(&weak), 6);
    CHECK_EQUAL(jrg_keep_load(&weak, key, &room, 1), JRG_KEEP_OK);
}

TEST(k5_k9_a_thousand_saves_erase_each_page_five_hundred_times)
{
    uint32_t all = 0;
    begin();
    for (unsigned i = 0; i < SAVES; i++) {
        state what = drawn_state();
        CHECK_EQUAL(save(&what), JRG_KEEP_OK);
    }
    for (unsigned page = 0; page < PAGES; page++) {
        CHECK(erased[page] == 0 || erased[page] == SAVES / 2);
        all += erased[page];
    }
    CHECK_EQUAL(all, SAVES * PAGES_PER_SAVE);
    CHECK_EQUAL(counted, all);
}

/* Each cut falls on the flash that the cuts before it have left. */
TEST(k7_after_a_cut_there_is_the_old_or_the_new_state)
{
    static state saved, wanted; /* static: they must outlive longjmp */
    static unsigned cut, cuts, done_before, old, new;
    begin();
    saved = drawn_state();
    CHECK_EQUAL(save(&saved), JRG_KEEP_OK);
    for (cut = 0; cut < CUTS; cut++) {
        state found;
        wanted = drawn_state();
        operations_left = cut % (WORDS_PER_SAVE + PAGES_PER_SAVE + 1); /* the last one is after the save */
        done_before = jrg_keep_saves(&flash);
        if (setjmp(power_cut) == 0)
            CHECK_EQUAL(save(&wanted), JRG_KEEP_OK);
        else
            cuts++;
        operations_left = UINT32_MAX;
        CHECK_EQUAL(load(&found), JRG_KEEP_OK);
        const bool is_new = are_equal(&found, &wanted);
        CHECK(is_new || are_equal(&found, &saved));
        CHECK_EQUAL(jrg_keep_saves(&flash), done_before + is_new);
        *(is_new ? &new : &old) += 1;
        saved = found;
    }
    CHECK(cuts > 10000);
    CHECK(old >= CUTS * 9 / 10);
    CHECK(new >= CUTS / (WORDS_PER_SAVE + PAGES_PER_SAVE + 1));
}
