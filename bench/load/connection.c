/* One client: it opens, sends, and checks every byte that comes back. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"

#define SOURCES 16 /* 127.0.0.1 to 127.0.0.16: no address runs out of ports */

static unsigned char buffer[CHUNK];

void connection_watch(struct connection *self, bool wants_write)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = self};
    /* A stalled client reads nothing once it is ready. */
    if (self->role != STALLED || self->stage != READY)
        event.events |= EPOLLIN;
    if (wants_write)
        event.events |= EPOLLOUT;
    self->wants_write = wants_write;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, self->fd, &event) < 0)
        die("epoll: %s", strerror(errno));
}

void connection_open(struct connection *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = self};
    int one = 1, small = 4096;

    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (self->fd < 0)
        die("connection %u: %s", self->number, strerror(errno));
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(self->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (self->role == STALLED)
        setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + self->number % SOURCES);
    if (bind(self->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("bind: %s", strerror(errno));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options.port);
    if (connect(self->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    self->stage = CONNECTING;
    self->sent_at[MAX_DEPTH - 1] = now_ns();
    self->wants_write = true;
    self->sent = self->unsent = self->due = self->echoed = 0;
    self->offset = self->left = self->position = self->text_size = 0;
    self->frame_head_size = 0;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, self->fd, &event) < 0)
        die("epoll: %s", strerror(errno));
}

void connection_close(struct connection *self)
{
    if (self->stage != UNUSED)
        close(self->fd);
    self->stage = UNUSED;
}

void connection_send(struct connection *self, uint32_t count)
{
    struct iovec parts[2 * MAX_DEPTH];
    const struct shape *shape = self->shape;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t message = self->sent + self->unsent++;
        shape_head(shape, self->heads[message % MAX_DEPTH], self->number, message);
        self->sent_at[message % MAX_DEPTH] = now_ns();
    }
    while (self->unsent) {
        int used = 0;
        size_t skip = self->offset, room = CHUNK;
        for (uint32_t i = 0; i < self->unsent && room; i++) {
            unsigned char *head = self->heads[(self->sent + i) % MAX_DEPTH];
            if (skip < shape->head_size) {
                parts[used++] = (struct iovec){head + skip, shape->head_size - skip};
                skip = shape->head_size;
            }
            size_t rest = shape->wire_size - skip;
            rest = rest < room ? rest : room;
            parts[used++] = (struct iovec){shape->wire + skip, rest};
            room -= rest;
            skip = 0;
        }
        ssize_t written = writev(self->fd, parts, used);
        if (written < 0) {
            if (errno == EAGAIN)
                break;
            on_gone(self, strerror(errno));
            return;
        }
        self->offset += written;
        while (self->unsent && self->offset >= shape->wire_size) {
            self->offset -= shape->wire_size;
            self->sent++;
            self->unsent--;
        }
    }
    if ((self->unsent > 0) != self->wants_write)
        connection_watch(self, self->unsent > 0);
}

void connection_on_writable(struct connection *self)
{
    if (self->stage == CONNECTING)
        handshake_ask(self);
    else if (self->unsent)
        connection_send(self, 0);
}

static void check(struct connection *self, const unsigned char *data, size_t size)
{
    /* `data` is the next piece of a message's payload: compare it with what was sent. */
    const struct shape *shape = self->shape;
    uint32_t number = self->role == LISTENER ? 0 : self->number;
    size_t at = self->position, end = at + size, id_end = shape->id_at + ID_SIZE;
    unsigned char id[ID_SIZE];

    shape_id(id, number, self->echoed);
    while (at < end) {
        bool is_id = at >= shape->id_at && at < id_end;
        size_t stop = at < shape->id_at ? shape->id_at : is_id ? id_end : shape->size;
        stop = stop < end ? stop : end;
        const unsigned char *wanted = is_id ? id + (at - shape->id_at) : shape->plain + at;
        if (memcmp(data, wanted, stop - at) != 0)
            die("connection %u: message %u came back changed between bytes %zu and %zu",
                self->number, self->echoed, at, stop);
        data += stop - at;
        at = stop;
    }
    self->position = end;
    if (end == shape->size) {
        self->position = 0;
        on_echo(self, self->sent_at[self->echoed++ % MAX_DEPTH]);
    }
}

void connection_keep(struct connection *self, const unsigned char *data, size_t size)
{
    if (self->text_size + size < sizeof self->text)
        memcpy(self->text + self->text_size, data, size);
    self->text_size += size;
}

static void answer_ping(struct connection *self)
{
    /* Not inside a message that is partly written; there is none where a ping matters. */
    unsigned char pong[256];
    size_t size = shape_pong(pong, self->text, self->text_size);
    if (self->opcode == 9 && self->unsent == 0 && write(self->fd, pong, size) != (ssize_t)size)
        on_gone(self, "it did not take a pong");
    self->text_size = 0;
}

static size_t read_frame_head(struct connection *self, const unsigned char *data, size_t size)
{
    size_t taken = 0;
    while (taken < size) {
        unsigned char *head = self->frame_head;
        head[self->frame_head_size++] = data[taken++];
        int wanted = self->frame_head_size < 2 ? 2 : head[1] == 127 ? 10 : head[1] == 126 ? 4 : 2;
        if (self->frame_head_size < wanted)
            continue;
        self->opcode = head[0] & 15;
        self->left = head[1] < 126 ? head[1] : 0;
        for (int i = 2; i < wanted; i++)
            self->left = self->left << 8 | head[i];
        if (head[1] & 0x80 || head[0] < 0x80)
            die("connection %u: a frame is masked or a fragment", self->number);
        bool is_message = self->opcode < 8 && self->stage == READY && self->role != FLOODER;
        if (is_message && (self->left != self->shape->size || self->opcode != self->shape->opcode))
            die("connection %u: a message of %zu bytes with opcode %d came back, not %zu and %d",
                self->number, self->left, self->opcode, self->shape->size, self->shape->opcode);
        self->frame_head_size = 0;
        break;
    }
    return taken;
}

static void take(struct connection *self, const unsigned char *data, size_t size)
{
    while (size && self->stage >= JOINING) {
        if (options.protocol == RAW) {
            size_t rest = self->shape->size - self->position;
            size_t part = rest < size ? rest : size;
            if (self->role != FLOODER)
                check(self, data, part);
            data += part;
            size -= part;
            continue;
        }
        if (self->left == 0) {
            size_t taken = read_frame_head(self, data, size);
            data += taken;
            size -= taken;
            if (self->left == 0 && self->frame_head_size == 0 && self->opcode >= 8)
                on_control(self);
            continue;
        }
        size_t part = self->left < size ? self->left : size;
        self->left -= part;
        if (self->opcode == 8) {
            on_gone(self, "a close frame came");
            return;
        }
        if (self->role == FLOODER) {
            if (self->left == 0)
                on_control(self);
        } else if (self->opcode > 8) {
            connection_keep(self, data, part);
            if (self->left == 0)
                answer_ping(self);
        } else if (self->stage == JOINING) {
            handshake_join(self, data, part);
        } else {
            check(self, data, part);
        }
        data += part;
        size -= part;
    }
}

void connection_on_readable(struct connection *self)
{
    ssize_t size = read(self->fd, buffer, sizeof buffer);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        on_gone(self, size ? strerror(errno) : "the server closed it");
        return;
    }
    /* Whatever came with the answer to the handshake belongs to the frames. */
    size_t used = self->stage == UPGRADING ? handshake_read(self, buffer, size) : 0;
    take(self, buffer + used, size - used);
}
