/* A test is TEST(name) { ... }; the program runs the one it is given by name.
 * tests/firmware/test_c_units.py does so for each. */
#ifndef JRG_TEST_H
#define JRG_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct jrg_test {
    const char *name;
    void (*run)(void);
    struct jrg_test *next;
} jrg_test;

void jrg_test_register(jrg_test *test);

#define TEST(test_name)                                                                                                \
    static void test_name(void);                                                                                       \
    __attribute__((constructor)) static void register_##test_name(void)                                                \
    {                                                                                                                  \
        static jrg_test test = {.name = #test_name, .run = test_name};                                                 \
        jrg_test_register(&test);                                                                                      \
    }                                                                                                                  \
    static void test_name(void)

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_EQUAL(is, should_be)                                                                                     \
    do {                                                                                                               \
        long long is_ = (long long)(is), should_be_ = (long long)(should_be);                                          \
        if (is_ != should_be_) {                                                                                       \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #is, is_, should_be_);                \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#endif
