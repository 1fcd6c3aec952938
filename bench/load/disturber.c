/* The one client that makes it hard for the others. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define TRICKLE_NS 10000000
#define STALLED_AT_ONCE 60

static unsigned char *flood;
static size_t flood_size, flood_at;
static uint64_t trickled;
static bool is_measured;

void disturber_begin(struct connection *self)
{
    if (self->role == STALLED)
        connection_send(self, STALLED_AT_ONCE);
    else if (self->role == FLOODER && flood != NULL)
        connection_watch(self, true);
    else if (self->role == GIANT && is_measured)
        connection_send(self, 1);
}

void disturber_pour(struct connection *self)
{
    ssize_t written = write(self->fd, flood + flood_at, flood_size - flood_at);
    if (written < 0 && errno != EAGAIN)
        on_gone(self, strerror(errno));
    else if (written > 0)
        flood_at = (flood_at + written) % flood_size;
}

void disturber_measure(void)
{
    /* Floods and giants begin with the window, so that what they do is seen from their start. */
    struct connection *self = &all[total - 1];
    is_measured = true;
    if (self->role == FLOODER)
        flood = shape_flood(&flood_size);
    if (self->role >= FLOODER && self->stage == READY)
        disturber_begin(self);
}

bool disturber_is_done(uint64_t now)
{
    double late = late_ns(now) / 1e6, worst = gauge_worst_ms();
    return gauge_round(worst > late ? worst : late) >= options.rounds;
}

void disturber_go_on(uint64_t now)
{
    struct connection *self = &all[total - 1];
    if (self->role < STALLED || self->role == GIANT || now - trickled < TRICKLE_NS)
        return;
    trickled = now;
    if (self->stage == UNUSED) {
        flood_at = 0;
        connection_open(self);
    } else if (self->role == STALLED && self->stage == READY && self->unsent < STALLED_AT_ONCE) {
        connection_send(self, 1);
    }
}
