/* The load generator of the transport and relay benches: one thread, one epoll, any number of
 * clients. `load name=value …` prints what it has measured as one line of JSON.
 *
 * mode=echo       each client keeps `depth` messages on their way and checks every echo; counted
 *                 are those that come back within `seconds`, after `warm` seconds. A `disturber`
 *                 is one more client: `stalled` sends and never reads, `messages` and `pings` are
 *                 floods, `giant` has messages of `disturber_size` echoed, `rounds` times.
 * mode=broadcast  the first client sends; a round is over when each has got the message.
 * mode=open       opens and closes, `connections` at a time; counted are handshakes. Plain TCP
 *                 has none: there the first echo stands for it.
 * mode=hold       opens up to each of `steps`, each client with one echo, says so, and waits for
 *                 a line before it goes on.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

#define OPENING 64
#define EVENTS 512
#define OPENING_SECONDS 120

int poller;
struct shape worker_shape, disturber_shape;
struct connection *all;
int total;
static int begun, ready, held, served, step;
static bool is_running, is_measuring, is_over, is_broadcast, is_hold, is_open;
static uint64_t window_start, window_end, deadline, round_start;
static int waited_for;

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void open_more(int limit)
{
    /* Those that are open but not ready yet are `begun - ready`. */
    while (begun < limit && begun - (is_hold ? held : ready) < OPENING)
        connection_open(&all[begun++]);
}

static void start(void)
{
    uint64_t now = now_ns();
    is_running = true;
    window_start = now + options.warm * 1e9;
    window_end = window_start + options.seconds * 1e9;
    round_start = now;
    waited_for = total;
    for (int i = 0; i < total; i++)
        if (all[i].role == WORKER && !is_broadcast)
            connection_send(&all[i], options.depth);
}

static void opened(struct connection *self)
{
    if (is_measuring)
        gauge_add(now_ns() - self->sent_at[MAX_DEPTH - 1]);
    connection_close(self);
    connection_open(self);
}

void on_ready(struct connection *self)
{
    if (is_open) {
        if (options.protocol == RAW)
            connection_send(self, 1);
        else
            opened(self);
        return;
    }
    if (is_hold) {
        connection_send(self, 1);
        return;
    }
    if (is_running) {
        disturber_begin(self);
        return;
    }
    ready++;
    open_more(total);
    if (ready == total) {
        start();
        if (*options.disturber)
            disturber_begin(&all[total - 1]);
    }
}

static int next_step(void)
{
    char *rest;
    long found = strtol(options.steps, &rest, 10);
    if (found < 1 || found > total)
        die("a step is %ld; it must be 1 to %d connections", found, total);
    options.steps = rest + (*rest == ',');
    return found;
}

static void on_held(void)
{
    char line[16];
    held++;
    if (held < step) {
        open_more(step);
        return;
    }
    printf("{\"held\": %d}\n", held);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL || *options.steps == 0) {
        is_over = true;
        return;
    }
    deadline = now_ns() + OPENING_SECONDS * 1000000000ull;
    step = next_step();
    open_more(step);
}

static void on_broadcast(uint64_t now)
{
    if (--waited_for)
        return;
    is_over = gauge_round((now - round_start) / 1e6) >= options.rounds;
    waited_for = total;
    round_start = now_ns();
    if (!is_over)
        connection_send(&all[0], 1);
}

uint64_t late_ns(uint64_t now)
{
    /* How long the echo that is waited for longest has been waited for. */
    uint64_t longest = 0;
    for (int i = 0; i < total; i++) {
        const struct connection *self = &all[i];
        if (self->role != WORKER || self->sent == self->echoed)
            continue;
        uint64_t waited = now - self->sent_at[self->echoed % MAX_DEPTH];
        longest = waited > longest ? waited : longest;
    }
    return longest;
}

void on_echo(struct connection *self, uint64_t sent_at)
{
    uint64_t now = now_ns();
    if (is_open) {
        opened(self);
    } else if (is_hold) {
        on_held();
    } else if (is_broadcast) {
        gauge_add(now - round_start);
        on_broadcast(now);
    } else if (self->role == WORKER) {
        if (self->echoed == 1)
            served++;
        if (is_measuring)
            gauge_add(now - sent_at);
        self->due++;
    } else if (self->role == GIANT) {
        self->due++;
        is_over = disturber_is_done(now);
    }
}

void on_control(struct connection *self)
{
    if (self->role == FLOODER)
        controls++;
}

void on_gone(struct connection *self, const char *why)
{
    if (self->role == WORKER || self->role == LISTENER)
        die("connection %u: %s", self->number, why);
    connection_close(self);
    closed++;
    if (self->role == GIANT)
        is_over = true;
}

static void on_event(struct connection *self, uint32_t events)
{
    if (self->stage == UNUSED)
        return;
    if (events & (EPOLLERR | EPOLLHUP) && self->role == STALLED && self->stage == READY) {
        on_gone(self, "the server closed it");
        return;
    }
    if (events & EPOLLOUT) {
        if (self->role == FLOODER && self->stage == READY)
            disturber_pour(self);
        else
            connection_on_writable(self);
    }
    if (events & ~EPOLLOUT && self->stage != UNUSED) {
        connection_on_readable(self);
        if (self->due && self->stage == READY) {
            uint32_t due = self->due;
            self->due = 0;
            connection_send(self, due);
        }
    }
}

static void look_at_clock(void)
{
    uint64_t now = now_ns();
    if (!is_running) {
        if (now > deadline)
            die("%d of %d connections were ready after %d s", is_hold ? held : ready, total,
                OPENING_SECONDS);
        return;
    }
    if (!is_measuring && now >= window_start) {
        is_measuring = true;
        gauge_start();
        disturber_measure();
        round_start = now;
        if (is_broadcast)
            connection_send(&all[0], 1);
    }
    if (now >= window_end)
        is_over = true;
    disturber_go_on(now);
}

static void run(void)
{
    struct epoll_event events[EVENTS];
    deadline = now_ns() + OPENING_SECONDS * 1000000000ull;
    if (is_open) {
        for (int i = 0; i < total; i++)
            connection_open(&all[i]);
        is_running = true;
        window_start = now_ns() + options.warm * 1e9;
        window_end = window_start + options.seconds * 1e9;
    } else {
        step = is_hold ? next_step() : total;
        open_more(step);
    }
    while (!is_over) {
        int count = epoll_wait(poller, events, EVENTS, 2);
        for (int i = 0; i < count && !is_over; i++)
            on_event(events[i].data.ptr, events[i].events);
        look_at_clock();
    }
    gauge_stop();
    if (*options.disturber && !is_hold)
        gauge_add_late(late_ns(now_ns()));
}

static enum role role_of(int number)
{
    if (number < options.connections)
        return is_broadcast && number ? LISTENER : WORKER;
    if (strcmp(options.disturber, "stalled") == 0)
        return STALLED;
    return strcmp(options.disturber, "giant") == 0 ? GIANT : FLOODER;
}

int main(int count, char **arguments)
{
    options_read(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    is_broadcast = strcmp(options.mode, "broadcast") == 0;
    is_hold = strcmp(options.mode, "hold") == 0;
    is_open = strcmp(options.mode, "open") == 0;
    shape_make(&worker_shape, options.size, options.opcode);
    shape_make(&disturber_shape, options.disturber_size, options.opcode);
    total = options.connections + (*options.disturber != 0);
    all = calloc(total, sizeof *all);
    poller = epoll_create1(0);
    if (all == NULL || poller < 0)
        die("no memory for %d connections", total);
    for (int i = 0; i < total; i++) {
        all[i].number = i;
        all[i].role = role_of(i);
        all[i].shape = all[i].role == WORKER || all[i].role == LISTENER ? &worker_shape
                                                                         : &disturber_shape;
    }
    run();
    if (!is_hold)
        gauge_print(served);
    return 0;
}
