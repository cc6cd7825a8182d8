/* What the parts of ingress share. */
#ifndef DESK_INGRESS_INGRESS_H
#define DESK_INGRESS_INGRESS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/secret.h"
#include "directory.h"
#include "http/server.h"
#include "passed.h"
#include "publish.h"
#include "quarantine.h"
#include "service/service.h"
#include "settings.h"

struct calls;
struct loop;
struct waiting;

struct ingress {
    struct ingress_settings settings; /* first: the service's settings */
    struct secret *edge_secret;
    struct directory *directory;
    struct publisher *publisher;
    struct quarantine *quarantine;
    struct http_server *server;
    atomic_bool directory_read; /* the topic's end and a marker were reached */
    int ready_directory, ready_bus, ready_stream;

    /* Phone calls (docs/VOICE.md). */
    struct secret *relay_key; /* of the macs in the paths of sockets; derived, alike everywhere */
    char *relay_base;         /* "wss://host": what stands before those paths */
    struct calls *calls;      /* the loop's; NULL before its start and after its end */
    struct loop *loop;        /* guarded by news.c */
    struct waiting *waiting;  /* requests of webhook mode that wait for an engine */
    _Atomic int stream_partition; /* of voice.stream, that is read here; -1: not yet */
    _Atomic int64_t sockets;      /* open at about this time */
    atomic_bool mute;             /* Kafka is known not to take what is said */
    atomic_bool draining;
    struct passed *passed; /* calls that were left to another ingress in the drain */
};

/* The whole process; returns its exit code. */
int ingress_main(int argc, char **argv);

#endif
