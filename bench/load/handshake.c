/* How a client becomes ready: HTTP's upgrade, and what Socket.IO wants after it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void become_ready(struct connection *self)
{
    self->stage = READY;
    connection_watch(self, false);
    on_ready(self);
}

static void ask(struct connection *self, const char *text)
{
    /* Short, and the first on its way: the kernel takes it whole. */
    size_t size = strlen(text);
    if (write(self->fd, text, size) != (ssize_t)size)
        on_gone(self, "it did not take the handshake");
}

void handshake_ask(struct connection *self)
{
    char request[512];
    int error = 0;
    socklen_t size = sizeof error;

    getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        on_gone(self, strerror(error));
        return;
    }
    if (options.protocol == RAW) {
        become_ready(self);
        return;
    }
    self->stage = UPGRADING;
    connection_watch(self, false);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
             "Sec-WebSocket-Version: 13\r\n\r\n",
             options.path, options.port);
    ask(self, request);
}

void handshake_join(struct connection *self, const unsigned char *data, size_t size)
{
    /* Engine.IO says "0{…}"; Socket.IO is asked with "40" and says "40{…}". */
    connection_keep(self, data, size);
    if (self->left)
        return;
    if (self->text[0] == '0')
        ask(self, "\x81\x82\x5a\xc3\x17\x8e\x6e\xf3");
    else if (strncmp(self->text, "40", 2) == 0)
        become_ready(self);
    else
        die("connection %u: Socket.IO says %.*s", self->number, 40, self->text);
    self->text_size = 0;
}

size_t handshake_read(struct connection *self, const unsigned char *data, size_t size)
{
    size_t room = sizeof self->text - 1 - self->text_size, part = size < room ? size : room;
    memcpy(self->text + self->text_size, data, part);
    self->text_size += part;
    self->text[self->text_size] = 0;
    char *end = strstr(self->text, "\r\n\r\n");
    if (end == NULL && self->text_size < sizeof self->text - 1)
        return size;
    if (end == NULL || strncmp(self->text, "HTTP/1.1 101", 12) || !strstr(self->text, ACCEPT))
        die("connection %u: the upgrade was answered %.*s", self->number, 60, self->text);
    size_t rest = self->text + self->text_size - (end + 4) + (size - part);
    self->text_size = 0;
    self->stage = JOINING;
    if (options.protocol == WEBSOCKET)
        become_ready(self);
    return size - rest;
}
