/* RFC 8032, 7.1, and what a verifier must refuse. Random messages: tests/firmware/test_ed25519.py. */
#include "jrg_ed25519.h"
#include "jrg_sha512.h"
#include "jrg_test.h"

typedef struct {
    const char *key, *message, *signature;
} vector;

static const vector vectors[] = {
    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "5"
     "5141438e7a100b"},
    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "0"
     "0d291612bb0c00"},
    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "0"
     "27beceea1ec40a"},
    {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a"
     "9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad"
     "9"
     "bef1177331a704"},
};

static size_t read_hex(uint8_t *bytes, const char *text)
{
    size_t count = 0;
    for (; text[2 * count] != 0; count++) {
        unsigned value = 0;
        CHECK_EQUAL(sscanf(text + 2 * count, "%2x", &value), 1);
        bytes[count] = (uint8_t)value;
    }
    return count;
}

static bool verifies(const vector *one, unsigned changed_byte_of_key, unsigned changed_byte_of_signature)
{
    uint8_t key[JRG_ED25519_KEY_BYTES + 1] = {0}, message[80], signature[JRG_ED25519_SIGNATURE_BYTES + 1] = {0};
    (void)read_hex(key, one->key);
    (void)read_hex(signature, one->signature);
    const size_t len_bytes = read_hex(message, one->message);
    key[changed_byte_of_key] ^= 4u;
    signature[changed_byte_of_signature] ^= 4u;
    return jrg_ed25519_verifies(key, signature, message, len_bytes);
}

TEST(g33_2_signatures_of_rfc_8032)
{
    for (unsigned n = 0; n < sizeof vectors / sizeof *vectors; n++) {
        CHECK(verifies(&vectors[n], JRG_ED25519_KEY_BYTES, JRG_ED25519_SIGNATURE_BYTES));
        CHECK(!verifies(&vectors[n], 3, JRG_ED25519_SIGNATURE_BYTES));
        CHECK(!verifies(&vectors[n], JRG_ED25519_KEY_BYTES, 0));
        CHECK(!verifies(&vectors[n], JRG_ED25519_KEY_BYTES, 40));
    }
}

/* The same point, and the same number, in a second form. */
TEST(g33_2_other_forms_of_keys_and_numbers_are_refused)
{
    /* S and the order of the base point: the equation holds as before. */
    const vector larger_s = {vectors[1].key, vectors[1].message,
                             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                             "f52db7415978abc61b2c2eb6aeebfca0387b2eaeb4302aeeb00d291612bb0c10"};
    CHECK(!verifies(&larger_s, JRG_ED25519_KEY_BYTES, JRG_ED25519_SIGNATURE_BYTES));
    uint8_t signature[JRG_ED25519_SIGNATURE_BYTES] = {1}; /* of the neutral point: R = (0, 1), S = 0 */
    const uint8_t neutral[JRG_ED25519_KEY_BYTES] = {1};
    CHECK(jrg_ed25519_verifies(neutral, signature, NULL, 0));
    uint8_t second_form[JRG_ED25519_KEY_BYTES]; /* y = p + 1 */
    memset(second_form, 0xFF, sizeof second_form);
    second_form[0] = 0xEE;
    second_form[31] = 0x7F;
    CHECK(!jrg_ed25519_verifies(second_form, signature, NULL, 0));
    uint8_t minus_zero[JRG_ED25519_KEY_BYTES] = {1}; /* x = 0 with its sign set */
    minus_zero[31] = 0x80;
    CHECK(!jrg_ed25519_verifies(minus_zero, signature, NULL, 0));
    const uint8_t no_point[JRG_ED25519_KEY_BYTES] = {2};
    CHECK(!jrg_ed25519_verifies(no_point, signature, NULL, 0));
}

TEST(sha512_examples_of_the_standard)
{
    uint8_t digest[JRG_SHA512_BYTES], expected[JRG_SHA512_BYTES];
    jrg_sha512 sum;
    jrg_sha512_begin(&sum);
    jrg_sha512_add(&sum, (const uint8_t *)"a", 1);
    jrg_sha512_add(&sum, (const uint8_t *)"bc", 2);
    jrg_sha512_end(&sum, digest);
    (void)read_hex(expected, vectors[3].message);
    CHECK(memcmp(digest, expected, sizeof digest) == 0); /* the message of that vector is the digest of "abc" */
}
