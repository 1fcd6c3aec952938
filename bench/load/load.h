/* What the parts of the load generator share; load.c tells what it does. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ID_SIZE 16 /* 8 hex digits of the connection's number, 8 of the message's */
#define HEAD_SIZE 64
#define MAX_DEPTH 64
#define CHUNK (256 * 1024)

enum protocol { RAW, WEBSOCKET, SOCKETIO };
enum stage { UNUSED, CONNECTING, UPGRADING, JOINING, READY };
/* A worker plays ping-pong and checks each byte; a listener only checks what is broadcast. */
enum role { WORKER, LISTENER, STALLED, FLOODER, GIANT };

/* Messages of one size: all of their bytes but the id, plain and as they go over the wire. */
struct shape {
    size_t size;      /* of the payload as the server sees it */
    size_t id_at;     /* where the id begins in it */
    size_t head_size; /* of the frame, up to and with the id */
    size_t wire_size; /* of the whole frame */
    unsigned char *plain;
    unsigned char *wire;
    int opcode;
};

struct connection {
    int fd;
    uint32_t number;
    enum role role;
    enum stage stage;
    const struct shape *shape;
    bool wants_write;
    /* out: sent + unsent messages were begun; `offset` bytes of the first unsent are out */
    uint32_t sent, unsent, due; /* due: to be sent once what was read is handled */
    size_t offset;
    uint64_t sent_at[MAX_DEPTH];
    unsigned char heads[MAX_DEPTH][HEAD_SIZE];
    /* in */
    uint32_t echoed;
    unsigned char frame_head[16];
    int frame_head_size, opcode;
    size_t left, position;
    char text[512];
    size_t text_size;
};

/* What load.c has been told to do. */
struct options {
    const char *mode, *path, *disturber, *steps;
    enum protocol protocol;
    int port, server, connections, depth, opcode, rounds;
    size_t size, disturber_size;
    double warm, seconds;
};

extern struct options options;
extern int poller, total;
extern struct connection *all;
extern struct shape worker_shape, disturber_shape;

/* options.c */
void options_read(int count, char **arguments);

/* connection.c */
void connection_open(struct connection *self);
void connection_close(struct connection *self);
void connection_on_writable(struct connection *self);
void connection_on_readable(struct connection *self);
void connection_send(struct connection *self, uint32_t count);
void connection_keep(struct connection *self, const unsigned char *data, size_t size);
void connection_watch(struct connection *self, bool wants_write);

/* shape.c */
void shape_make(struct shape *self, size_t size, int opcode);
void shape_head(const struct shape *self, unsigned char *head, uint32_t number, uint32_t message);
void shape_id(unsigned char *id, uint32_t number, uint32_t message);
unsigned char *shape_flood(size_t *size);
size_t shape_pong(unsigned char *frame, const char *data, size_t size);

/* handshake.c; read tells how much of the data was the handshake's */
void handshake_ask(struct connection *self);
size_t handshake_read(struct connection *self, const unsigned char *data, size_t size);
void handshake_join(struct connection *self, const unsigned char *data, size_t size);

/* gauge.c: what was measured between the two calls, and the line that says so */
void gauge_start(void);
void gauge_stop(void);
void gauge_add(uint64_t took_ns);
void gauge_add_late(uint64_t waited_ns);
int gauge_round(double ms); /* how many there are */
double gauge_worst_ms(void);
void gauge_print(int served);
extern int closed, controls;

/* disturber.c */
void disturber_begin(struct connection *self);
void disturber_pour(struct connection *self);
void disturber_measure(void);
void disturber_go_on(uint64_t now);
bool disturber_is_done(uint64_t now);

/* load.c hears of what happens */
void on_ready(struct connection *self);
void on_echo(struct connection *self, uint64_t sent_at);
void on_control(struct connection *self);
void on_gone(struct connection *self, const char *why);
uint64_t now_ns(void);
uint64_t late_ns(uint64_t now);
_Noreturn void die(const char *format, ...);

#endif
