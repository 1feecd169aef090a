#include "jrg_test.h"

static jrg_test *tests;

void jrg_test_register(jrg_test *test)
{
    test->next = tests;
    tests = test;
}

int main(int argc, char **argv)
{
    for (const jrg_test *test = tests; argc == 2 && test != NULL; test = test->next) {
        if (strcmp(test->name, argv[1]) == 0) {
            test->run();
            return 0;
        }
    }
    fprintf(stderr, "usage: %s NAME_OF_A_TEST\n", argv[0]);
    return 2;
}
