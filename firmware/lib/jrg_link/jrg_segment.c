#include "jrg_segment.h"

#include "jrg_defs.h" // JRG_LIMIT_MAX_PAYLOAD_BYTES

static const int32_t jrg_segment_balance_bytes = JRG_LIMIT_SEGMENT_BALANCE_BYTES;

static void become(jrg_segment *segment, unsigned most_bytes)
{
    segment->most_bytes = (uint8_t)most_bytes;
    segment->balance_bytes = 0;
}

void jrg_segment_init(jrg_segment *segment)
{
    become(segment, JRG_LIMIT_MAX_PAYLOAD_BYTES);
}

uint8_t jrg_segment_flight(const jrg_segment *segment, uint8_t window)
{
    if (segment->most_bytes == JRG_LIMIT_MAX_PAYLOAD_BYTES || window < JRG_COUNT_FLIGHT_ON_NOISE)
        return window;
    return JRG_COUNT_FLIGHT_ON_NOISE;
}

/* A frame of half the size or less says nothing for a larger size. */
void jrg_segment_arrived(jrg_segment *segment, uint8_t payload_bytes)
{
    unsigned doubled = 2u * segment->most_bytes;
    if (2u * payload_bytes <= segment->most_bytes)
        return;
    segment->balance_bytes += (int32_t)JRG_LIMIT_FRAME_OVERHEAD_BYTES;
    if (segment->balance_bytes >= jrg_segment_balance_bytes)
        become(segment, doubled < JRG_LIMIT_MAX_PAYLOAD_BYTES ? doubled : JRG_LIMIT_MAX_PAYLOAD_BYTES);
}

void jrg_segment_wasted(jrg_segment *segment, uint32_t wire_bytes)
{
    unsigned halved = segment->most_bytes / 2u;
    segment->balance_bytes -= (int32_t)wire_bytes;
    if (segment->balance_bytes <= -jrg_segment_balance_bytes)
        become(segment, halved > JRG_LIMIT_MIN_SEGMENT_BYTES ? halved : JRG_LIMIT_MIN_SEGMENT_BYTES);
}
