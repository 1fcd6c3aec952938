/* The messages: masked frames with an id in them, so that no echo can be taken for another. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

static const unsigned char MASK[4] = {0x5a, 0xc3, 0x17, 0x8e};
static const char EVENT[] = "42[\"echo\",\"";

static size_t frame_head(unsigned char *head, int opcode, size_t size)
{
    size_t length = 2;
    head[0] = 0x80 | opcode;
    if (size < 126) {
        head[1] = 0x80 | size;
    } else if (size < 65536) {
        head[1] = 0x80 | 126;
        head[2] = size >> 8;
        head[3] = size;
        length = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (uint64_t)size >> (56 - 8 * i);
        length = 10;
    }
    memcpy(head + length, MASK, 4);
    return length + 4;
}

void shape_make(struct shape *self, size_t size, int opcode)
{
    bool is_event = options.protocol == SOCKETIO;
    const char *before = is_event ? EVENT : "", *after = is_event ? "\"]" : "";
    size_t prefix = strlen(before), suffix = strlen(after), head = 0;

    self->opcode = opcode;
    self->size = prefix + size + suffix;
    self->id_at = prefix;
    self->plain = malloc(self->size);
    self->wire = malloc(self->size + 14);
    if (self->plain == NULL || self->wire == NULL)
        die("no memory for messages of %zu bytes", size);
    memcpy(self->plain, before, prefix);
    for (size_t i = 0; i < size; i++)
        self->plain[prefix + i] = 'a' + (i * 7 + i / 251) % 26;
    memcpy(self->plain + prefix + size, after, suffix);
    if (options.protocol != RAW)
        head = frame_head(self->wire, opcode, self->size);
    for (size_t i = 0; i < self->size; i++)
        self->wire[head + i] = self->plain[i] ^ (head ? MASK[i % 4] : 0);
    self->head_size = head + prefix + ID_SIZE;
    self->wire_size = head + self->size;
    if (size < ID_SIZE || self->head_size > HEAD_SIZE)
        die("size is %zu; it must be %d at least", size, ID_SIZE);
}

void shape_id(unsigned char *id, uint32_t number, uint32_t message)
{
    for (int i = 0; i < 8; i++) {
        id[i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
        id[8 + i] = "0123456789abcdef"[message >> (28 - 4 * i) & 15];
    }
}

void shape_head(const struct shape *self, unsigned char *head, uint32_t number, uint32_t message)
{
    size_t id = self->head_size - ID_SIZE;
    memcpy(head, self->wire, id);
    shape_id(head + id, number, message);
    if (options.protocol != RAW)
        for (size_t i = 0; i < ID_SIZE; i++)
            head[id + i] ^= MASK[(self->id_at + i) % 4];
}

unsigned char *shape_flood(size_t *size)
{
    /* As many whole frames as fit in 64 KiB: messages like the workers', or pings. */
    unsigned char ping[64];
    size_t frames, length = worker_shape.wire_size;
    const unsigned char *frame = worker_shape.wire;
    if (strcmp(options.disturber, "pings") == 0) {
        length = frame_head(ping, 9, 16);
        memset(ping + length, 'p', 16);
        length += 16;
        frame = ping;
    }
    frames = 65536 / length;
    *size = frames * length;
    unsigned char *chunk = malloc(*size);
    if (chunk == NULL || frames == 0)
        die("no flood of messages of %zu bytes", length);
    for (size_t i = 0; i < frames; i++)
        memcpy(chunk + i * length, frame, length);
    return chunk;
}

size_t shape_pong(unsigned char *frame, const char *data, size_t size)
{
    size = size < 126 ? size : 125;
    size_t head = frame_head(frame, 10, size);
    for (size_t i = 0; i < size; i++)
        frame[head + i] = data[i] ^ MASK[i % 4];
    return head + size;
}
