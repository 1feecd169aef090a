/* The start of a round for a network of dense int16 layers: how large its values are (A2.6), and its blob (A6).
 *
 * The same as the compiler's calibrate and pack, which tests compare. A vector is float64: per layer the weights row by
 * row, then the biases. All memory is the caller's.
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JRG_START_PARTS 8u    /* of a row of numbers, whose largest are found side by side */
#define JRG_START_TOGETHER 4u /* vectors of samples whose sums stay in registers */

/* Eight samples; vectors are those of GCC and Clang, for any processor. */
typedef double jrg_start_vector __attribute__((vector_size(64)));
#define JRG_START_SAMPLES (8u * JRG_START_TOGETHER)

typedef struct {
    uint32_t inputs, outputs;
    uint32_t relu;
    uint32_t weights_offset, biases_offset, row_bytes; /* in the blob */
} jrg_start_layer;

typedef struct {
    const jrg_start_layer *layers;
    uint32_t layers_count;
    uint32_t samples;
    const double *inputs;      /* [inputs, samples] */
    double *room, *other_room; /* each for the widest tensor, [width, samples] */
} jrg_start_network;

/* The largest magnitude; all numbers are finite. */
static double jrg_start_largest(const double *numbers, size_t count)
{
    double parts[JRG_START_PARTS] = {0};
    double largest = 0;
    size_t i = 0;
    for (; i + JRG_START_PARTS <= count; i += JRG_START_PARTS) {
        for (uint32_t p = 0; p < JRG_START_PARTS; p++) {
            const double size = fabs(numbers[i + p]);
            parts[p] = size > parts[p] ? size : parts[p];
        }
    }
    for (; i < count; i++) {
        largest = fabs(numbers[i]) > largest ? fabs(numbers[i]) : largest;
    }
    for (uint32_t p = 0; p < JRG_START_PARTS; p++) {
        largest = parts[p] > largest ? parts[p] : largest;
    }
    return largest;
}

/* An output of a layer before its ReLU for some samples, `stride` numbers from one input's to the next one's. */
static void jrg_start_sum_samples(const double *weights, uint32_t inputs, double bias, const double *x, uint32_t stride,
                                  double *y)
{
    jrg_start_vector sum[JRG_START_TOGETHER];
    for (uint32_t v = 0; v < JRG_START_TOGETHER; v++) {
        sum[v] = (jrg_start_vector){0} + bias;
    }
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t v = 0; v < JRG_START_TOGETHER; v++) {
            jrg_start_vector part;
            memcpy(&part, x + (size_t)i * stride + 8u * v, sizeof part);
            sum[v] += weights[i] * part;
        }
    }
    memcpy(y, sum, sizeof sum);
}

static double jrg_start_sum(const double *weights, uint32_t inputs, double bias, const double *x, uint32_t stride)
{
    double sum = bias;
    for (uint32_t i = 0; i < inputs; i++) {
        sum += weights[i] * x[(size_t)i * stride];
    }
    return sum;
}

/* The outputs of a layer for all samples. */
static void jrg_start_forward(const jrg_start_layer *layer, uint32_t samples, const double *weights,
                              const double *biases, const double *restrict x, double *restrict y)
{
    for (uint32_t j = 0; j < layer->outputs; j++, y += samples, weights += layer->inputs) {
        uint32_t n = 0;
        for (; n + JRG_START_SAMPLES <= samples; n += JRG_START_SAMPLES) {
            jrg_start_sum_samples(weights, layer->inputs, biases[j], x + n, samples, y + n);
        }
        for (; n < samples; n++) {
            y[n] = jrg_start_sum(weights, layer->inputs, biases[j], x + n, samples);
        }
        for (n = 0; n < samples; n++) {
            y[n] = layer->relu && y[n] < 0 ? 0 : y[n];
        }
    }
}

/* The largest magnitude of each layer's weights, then of each layer's outputs. */
void jrg_start_measure(const jrg_start_network *network, const double *vector, double *largest)
{
    const double *x = network->inputs;
    for (uint32_t k = 0; k < network->layers_count; k++) {
        const jrg_start_layer *layer = &network->layers[k];
        const uint32_t count = layer->inputs * layer->outputs;
        double *values = k % 2u == 0u ? network->room : network->other_room;
        jrg_start_forward(layer, network->samples, vector, vector + count, x, values);
        largest[k] = jrg_start_largest(vector, count);
        largest[network->layers_count + k] = jrg_start_largest(values, (size_t)layer->outputs * network->samples);
        vector += count + layer->outputs;
        x = values;
    }
}

/* A2.2: to the nearest, and in reach. */
static int32_t jrg_start_rounded(double number, double scale, double limit)
{
    const double rounded = floor(number * scale + 0.5);
    const double above = rounded > -limit ? rounded : -limit;
    return (int32_t)(above < limit - 1 ? above : limit - 1);
}

/* Weights and biases into a blob of zeros behind its header. scales: of each layer what its weights are multiplied by, and
 * its biases. */
void jrg_start_pack(const jrg_start_network *network, const double *vector, const double *scales, uint8_t *blob)
{
    for (uint32_t k = 0; k < network->layers_count; k++, scales += 2) {
        const jrg_start_layer *layer = &network->layers[k];
        for (uint32_t j = 0; j < layer->outputs; j++, vector += layer->inputs) {
            int16_t *row = (void *)(blob + layer->weights_offset + (size_t)j * layer->row_bytes);
            for (uint32_t i = 0; i < layer->inputs; i++) {
                row[i] = (int16_t)jrg_start_rounded(vector[i], scales[0], 32768.0);
            }
        }
        for (uint32_t j = 0; j < layer->outputs; j++) {
            const int32_t bias = jrg_start_rounded(*vector++, scales[1], 1073741824.0);
            memcpy(blob + layer->biases_offset + 4u * j, &bias, sizeof bias);
        }
    }
}
