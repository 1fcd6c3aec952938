/* Times, percentiles, and how much of their cores this process and the server have had. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define MOST_ROUNDS 10000

struct usage {
    uint64_t at, busy, waited;
};

int closed, controls;
static uint32_t *samples; /* in units of 10 ns */
static size_t sample_count, sample_room;
static double rounds[MOST_ROUNDS];
static int round_count;
static struct usage own_start, server_start, own_end, server_end;
static uint64_t worst;
static size_t counted;

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static struct usage usage_of(int pid)
{
    /* schedstat: ns on a core, ns waiting for one. */
    struct usage found = {.at = now_ns()};
    unsigned long long busy = 0, waited = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = pid ? fopen(path, "r") : NULL;
    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &busy, &waited) != 2)
            busy = waited = 0;
        fclose(file);
    }
    found.busy = busy;
    found.waited = waited;
    return found;
}

void gauge_start(void)
{
    sample_count = counted = 0;
    worst = 0;
    own_start = usage_of(getpid());
    server_start = usage_of(options.server);
}

void gauge_stop(void)
{
    own_end = usage_of(getpid());
    server_end = usage_of(options.server);
}

void gauge_add(uint64_t took_ns)
{
    if (sample_count == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 1 << 16;
        samples = realloc(samples, sample_room * sizeof *samples);
        if (samples == NULL)
            die("no memory for %zu samples", sample_room);
    }
    samples[sample_count++] = took_ns / 10 < UINT32_MAX ? took_ns / 10 : UINT32_MAX;
    counted++;
    worst = took_ns > worst ? took_ns : worst;
}

void gauge_add_late(uint64_t waited_ns)
{
    /* No echo has come yet, but the time belongs to the picture. */
    gauge_add(waited_ns);
    counted--;
}

int gauge_round(double ms)
{
    if (round_count < MOST_ROUNDS)
        rounds[round_count++] = ms;
    worst = 0;
    return round_count;
}

double gauge_worst_ms(void)
{
    return worst / 1e6;
}

static int compare(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static double percentile_us(double part)
{
    if (sample_count == 0)
        return 0;
    size_t index = part * sample_count;
    return samples[index < sample_count ? index : sample_count - 1] / 100.0;
}

static double share(struct usage start, struct usage end)
{
    /* Of the time it wanted a core, how much it had one. */
    double busy = end.busy - start.busy, waited = end.waited - start.waited;
    return busy + waited > 0 ? busy / (busy + waited) : 1;
}

static double part(struct usage start, struct usage end)
{
    return end.at > start.at ? (double)(end.busy - start.busy) / (end.at - start.at) : 0;
}

static double undisturbed(void)
{
    /* The seconds in which neither waited for its core, were their waits independent; but no
     * fewer than either has worked. */
    double all = (own_end.at - own_start.at) / 1e9;
    double own = (own_end.waited - own_start.waited) / 1e9;
    double server = (server_end.waited - server_start.waited) / 1e9;
    double own_busy = (own_end.busy - own_start.busy) / 1e9;
    double server_busy = (server_end.busy - server_start.busy) / 1e9;
    if (all <= 0 || own >= all || server >= all)
        return all;
    double left = all * (1 - own / all) * (1 - server / all);
    left = left > own_busy ? left : own_busy;
    return left > server_busy ? left : server_busy;
}

void gauge_print(int served)
{
    qsort(samples, sample_count, sizeof *samples, compare);
    double own = share(own_start, own_end), server = share(server_start, server_end);
    printf("{\"counted\": %zu, \"seconds\": %.6f, \"served\": %d, \"closed\": %d, ", counted,
           undisturbed(), served, closed);
    printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f, ", percentile_us(0.5),
           percentile_us(0.99), percentile_us(1));
    printf("\"load_cpu\": %.4f, \"server_cpu\": %.4f, \"share\": %.4f, \"controls\": %d, ",
           part(own_start, own_end), part(server_start, server_end), own < server ? own : server,
           controls);
    printf("\"rounds_ms\": [");
    for (int i = 0; i < round_count; i++)
        printf("%s%.4f", i ? ", " : "", rounds[i]);
    printf("]}\n");
    fflush(stdout);
}
