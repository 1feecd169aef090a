/* The examples of FIPS 180-4, and a length on each side of every block border (digests from Python's hashlib). */
#include "jrg_sha256.h"
#include "jrg_test.h"

static void check_digest(const uint8_t *bytes, size_t len_bytes, const char *hex)
{
    uint8_t digest[JRG_SHA256_BYTES];
    char text[2 * JRG_SHA256_BYTES + 1];
    jrg_sha256(bytes, len_bytes, digest);
    for (unsigned i = 0; i < JRG_SHA256_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(text, hex) != 0) {
        fprintf(stderr, "length %zu: %s, not %s\n", len_bytes, text, hex);
        exit(1);
    }
}

TEST(sha256_examples_of_the_standard)
{
    check_digest((const uint8_t *)"abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_digest((const uint8_t *)"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_digest((const uint8_t *)"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(sha256_of_a_million_letters)
{
    uint8_t *bytes = malloc(1000000);
    CHECK(bytes != NULL);
    memset(bytes, 'a', 1000000);
    check_digest(bytes, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(bytes);
}

TEST(sha256_around_the_border_of_a_block)
{
    static const struct {
        size_t len_bytes;
        const char *hex;
    } cases[] = {
        {55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"},
        {56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"},
        {63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"},
        {64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"},
        {65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781"},
        {119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"},
        {120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"},
        {127, "92ca0fa6651ee2f97b884b7246a562fa71250fedefe5ebf270d31c546bfea976"},
        {128, "471fb943aa23c511f6f72f8d1652d9c880cfa392ad80503120547703e56a2be5"},
        {129, "5099c6a56203f9687f7d33f4bfdf576d31dc91f6b695ecea38b2770c87631135"},
    };
    uint8_t bytes[256];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        check_digest(bytes, cases[i].len_bytes, cases[i].hex);
}
