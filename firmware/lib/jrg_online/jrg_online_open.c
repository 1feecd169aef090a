#include "jrg_online_open.h"

#include "core/jrg_nn_wide.h" // jrg_nn_wide_row

enum { IMPRINT_BITS = 8, LOGIT_WIDTH = 15, WEIGHT_WIDTH = 15, STEP_WIDTH = 17, SHARE_EXPONENT = 15 };
#define MOST_IMPRINT ((1ll << 46) - 1)

static uint32_t count_of(uint64_t known)
{
    uint32_t count = 0;
    for (; known != 0u; known &= known - 1u)
        count++;
    return count;
}

/* O6.1: the sum over the known rows of what lies at `place` of each. */
static int64_t sum_of(const jrg_nn_dense *head, uint64_t known, uint32_t stride, uint32_t place)
{
    int64_t sum = 0;
    for (uint32_t j = 0; j < head->outputs; j++)
        sum += (known >> j & 1u) != 0u ? head->weights[j * stride + place] : 0;
    return sum;
}

static int64_t sum_of_biases(const jrg_nn_dense *head, uint64_t known)
{
    int64_t sum = 0;
    for (uint32_t j = 0; j < head->outputs; j++)
        sum += (known >> j & 1u) != 0u ? head->biases[j] : 0;
    return sum;
}

/* O6.2: Z. */
static int32_t largest_known(const int16_t *logits, uint32_t outputs, uint64_t known)
{
    int32_t largest = INT16_MIN;
    for (uint32_t j = 0; j < outputs; j++)
        largest = (known >> j & 1u) != 0u && logits[j] > largest ? logits[j] : largest;
    return largest;
}

static int64_t sum_of_squares(const int16_t *features, uint32_t count)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (int32_t)features[i] * features[i];
    return sum;
}

/* O6.2: c. gap, squares: more than 0. */
static int64_t imprint_of(int32_t gap, uint32_t shift, int64_t squares)
{
    const int64_t imprint = ((int64_t)gap << (shift + IMPRINT_BITS)) / squares;
    return imprint < MOST_IMPRINT ? imprint : MOST_IMPRINT;
}

static int32_t step_of(int64_t imprint, int32_t feature)
{
    const int64_t step = jrg_nn_rshift_wide(imprint * feature, IMPRINT_BITS);
    const int64_t limit = 1ll << STEP_WIDTH;
    return (int32_t)(step < -limit ? -limit : step > limit - 1 ? limit - 1 : step);
}

void jrg_online_open_row(const jrg_nn_dense *head, uint64_t known, uint32_t label, const int16_t *features,
                         uint32_t shift, const int16_t *logits)
{
    const uint32_t count = count_of(known);
    const int64_t share = (32768 + count / 2u) / count;
    const uint32_t stride = head->inputs + (head->inputs & 1u);
    int16_t *row = head->weights + label * stride;
    for (uint32_t i = 0; i < head->inputs; i++)
        row[i] = (int16_t)jrg_nn_rshift_wide(share * sum_of(head, known, stride, i), SHARE_EXPONENT);
    head->biases[label] = (int32_t)jrg_nn_rshift_wide(share * sum_of_biases(head, known), SHARE_EXPONENT);

    const uint32_t part = jrg_nn_wide_part(head->input_width);
    const int32_t own = jrg_nn_activation(
        jrg_nn_wide_row(row, features, head->biases[label], head->inputs, part, shift), LOGIT_WIDTH, false);
    const int32_t gap = largest_known(logits, head->outputs, known) - own;
    const int64_t squares = sum_of_squares(features, head->inputs);
    if (gap <= 0 || squares == 0)
        return;
    const int64_t imprint = imprint_of(gap, shift, squares);
    for (uint32_t i = 0; i < head->inputs; i++)
        row[i] = (int16_t)jrg_nn_sats(row[i] + step_of(imprint, features[i]), WEIGHT_WIDTH);
}
