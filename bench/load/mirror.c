/* A trivial echo server: the ceiling of the load generator. `mirror` listens on any free port of
 * 127.0.0.1, says which, and answers a GET with a WebSocket and anything else with plain echoes.
 * It trusts its client: the key is always the generator's, every frame is whole within ROOM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (256 * 1024)
#define EVENTS 512

struct peer {
    int fd;
    enum { NEW, PLAIN, FRAMED } kind;
    unsigned char *kept; /* of a frame that is not whole yet */
    size_t size;
};

static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static unsigned char input[2 * ROOM], output[2 * ROOM];

static void put(int fd, const unsigned char *data, size_t size)
{
    while (size) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, 1000);
        } else if (written < 0) {
            return;
        } else {
            data += written;
            size -= written;
        }
    }
}

static size_t answer(struct peer *peer, size_t size)
{
    /* Echo the frames in `input`; return how much of it that was. */
    size_t at = 0, out = 0;
    while (size - at >= 6) {
        unsigned char *frame = input + at, *answered = output + out;
        size_t head = 2, length = frame[1] & 127;
        if (length == 126 && size - at >= 8) {
            length = frame[2] << 8 | frame[3];
            head = 4;
        } else if (length == 127 && size - at >= 14) {
            length = (size_t)frame[6] << 24 | frame[7] << 16 | frame[8] << 8 | frame[9];
            head = 10;
        } else if (length > 125) {
            break;
        }
        if (size - at < head + 4 + length)
            break;
        memcpy(answered, frame, head);
        answered[1] &= 127;
        uint32_t mask;
        memcpy(&mask, frame + head, 4);
        const unsigned char *from = frame + head + 4;
        unsigned char *to = answered + head;
        size_t i = 0;
        for (; i + 4 <= length; i += 4) {
            uint32_t word;
            memcpy(&word, from + i, 4);
            word ^= mask;
            memcpy(to + i, &word, 4);
        }
        for (; i < length; i++)
            to[i] = from[i] ^ frame[head + i % 4];
        at += head + 4 + length;
        out += head + length;
    }
    put(peer->fd, output, out);
    return at;
}

static void serve(struct peer *peer)
{
    memcpy(input, peer->kept, peer->size);
    ssize_t got = read(peer->fd, input + peer->size, ROOM - peer->size);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        close(peer->fd);
        free(peer->kept);
        free(peer);
        return;
    }
    size_t size = peer->size + got, used = size;
    if (peer->kind == NEW)
        peer->kind = memcmp(input, "GET ", 4) ? PLAIN : FRAMED;
    else if (peer->kind == FRAMED)
        used = answer(peer, size);
    if (peer->kind == PLAIN)
        put(peer->fd, input, size);
    else if (input[0] == 'G')
        put(peer->fd, (const unsigned char *)ANSWER, sizeof ANSWER - 1);
    peer->size = size - used;
    if (peer->size) {
        peer->kept = realloc(peer->kept, peer->size);
        memcpy(peer->kept, input + used, peer->size);
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN}, events[EVENTS];
    socklen_t length = sizeof address;
    int one = 1, poller = epoll_create1(0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 4096) < 0)
        return 1;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL) {
                serve(events[i].data.ptr);
                continue;
            }
            int fd;
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct peer *peer = calloc(1, sizeof *peer);
                peer->fd = fd;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                event.data.ptr = peer;
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}
