/* The same runs, chosen by libFuzzer from what they cover (`make fuzz-node`, with clang). */
#include "fuzz_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_node_run(data, len_bytes);
    return 0;
}
