/* What the command line says. */
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct options options = {
    .mode = "echo", .path = "/echo", .disturber = "", .steps = "", .protocol = WEBSOCKET,
    .connections = 1, .depth = 1, .opcode = 2, .rounds = 3, .size = 64, .disturber_size = 4096,
    .warm = 0.2, .seconds = 1,
};

static void read_option(const char *name, const char *value)
{
    if (strcmp(name, "mode") == 0) options.mode = value;
    else if (strcmp(name, "path") == 0) options.path = value;
    else if (strcmp(name, "disturber") == 0) options.disturber = value;
    else if (strcmp(name, "steps") == 0) options.steps = value;
    else if (strcmp(name, "protocol") == 0)
        options.protocol = *value == 'r' ? RAW : *value == 's' ? SOCKETIO : WEBSOCKET;
    else if (strcmp(name, "port") == 0) options.port = atoi(value);
    else if (strcmp(name, "server") == 0) options.server = atoi(value);
    else if (strcmp(name, "connections") == 0) options.connections = atoi(value);
    else if (strcmp(name, "depth") == 0) options.depth = atoi(value);
    else if (strcmp(name, "text") == 0) options.opcode = *value == '1' ? 1 : 2;
    else if (strcmp(name, "rounds") == 0) options.rounds = atoi(value);
    else if (strcmp(name, "size") == 0) options.size = atol(value);
    else if (strcmp(name, "disturber_size") == 0) options.disturber_size = atol(value);
    else if (strcmp(name, "warm") == 0) options.warm = atof(value);
    else if (strcmp(name, "seconds") == 0) options.seconds = atof(value);
    else die("%s is no option", name);
}

void options_read(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        char *value = strchr(arguments[i], '=');
        if (value == NULL)
            die("%s: it must be name=value", arguments[i]);
        *value = 0;
        read_option(arguments[i], value + 1);
    }
    if (options.depth < 1 || options.depth > MAX_DEPTH)
        die("depth is %d; it must be 1 to %d", options.depth, MAX_DEPTH);
    if (options.connections < 1)
        die("connections is %d; it must be 1 at least", options.connections);
}
