/* How many bytes of a message one frame carries (L3.8): fewer while the line damages frames, more when it is clean. The host
 * has the same rule in host/jaragua/wire/link/segments.py. */
#ifndef JRG_SEGMENT_H
#define JRG_SEGMENT_H

#include <stdint.h>

typedef struct {
    uint8_t most_bytes;    /* of payload in one frame */
    int32_t balance_bytes; /* overhead of full frames that arrived, minus what was sent in vain */
} jrg_segment;

void jrg_segment_init(jrg_segment *segment);

/* Frames under way at most (L3.9). */
uint8_t jrg_segment_flight(const jrg_segment *segment, uint8_t window);

/* A frame that was sent once is acknowledged. */
void jrg_segment_arrived(jrg_segment *segment, uint8_t payload_bytes);

/* A loss: so many bytes were under way, overhead included, and are sent again. */
void jrg_segment_wasted(jrg_segment *segment, uint32_t wire_bytes);
#endif
