/* The deterministic form. usage: fuzz SEED RUNS [FIRST]: runs FIRST, FIRST + 1, … of a seed; each is the same whatever ran
 * before, so a run that fails is repeated alone. What failed is said on standard error. */
#include "fuzz_node.h"
#include "jrg_test.h"

/* Of the sanitizers' run-time library; not every compiler brings its header. */
void __sanitizer_set_death_callback(void (*callback)(void));

enum { CHOICES = 4000 };

static unsigned long seed, run;

static void say_run(void)
{
    fprintf(stderr, "repeat with: fuzz %lu 1 %lu\n", seed, run);
}

/* SplitMix64: any two runs have nothing in common. */
static uint64_t next_of(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void do_run(void)
{
    static uint8_t choices[CHOICES];
    uint64_t state = (uint64_t)seed * 0xD1342543DE82EF95u + run;
    for (unsigned i = 0; i < CHOICES; i++)
        choices[i] = (uint8_t)(next_of(&state) >> 56);
    fuzz_node_run(choices, 1u + (size_t)(next_of(&state) % CHOICES));
}

static void say_counts(void)
{
    const fuzz_node_counts *counts = fuzz_node_counted();
    printf("frames %lu\nrefused %lu\nsessions %lu\nblobs_verified %lu\nupdates_read %lu\npredictions %lu\n",
           counts->frames, counts->refused, counts->sessions, counts->blobs_verified, counts->updates_read,
           counts->predictions);
    for (unsigned kind = 0; kind < FUZZ_NODE_JOB_KINDS; kind++)
        printf("jobs_done_%u %lu\n", kind, counts->jobs_done[kind]);
}

static void at_exit(void)
{
    if (run != 0)
        say_run();
}

int main(int argc, char **argv)
{
    CHECK(argc == 3 || argc == 4);
    seed = strtoul(argv[1], NULL, 10);
    const unsigned long runs = strtoul(argv[2], NULL, 10);
    const unsigned long first = argc == 4 ? strtoul(argv[3], NULL, 10) : 1;
    __sanitizer_set_death_callback(say_run);
    if (atexit(at_exit) != 0)
        return 2;
    for (run = first; run < first + runs; run++)
        do_run();
    run = 0;
    say_counts();
    return 0;
}
