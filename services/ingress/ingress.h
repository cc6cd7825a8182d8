/* What the parts of ingress share. */
#ifndef DESK_INGRESS_INGRESS_H
#define DESK_INGRESS_INGRESS_H

#include <stdatomic.h>

#include "base/secret.h"
#include "directory.h"
#include "http/server.h"
#include "publish.h"
#include "quarantine.h"
#include "service/service.h"
#include "settings.h"

struct ingress {
    struct ingress_settings settings; /* first: the service's settings */
    struct secret *edge_secret;
    struct directory *directory;
    struct publisher *publisher;
    struct quarantine *quarantine;
    struct http_server *server;
    atomic_bool directory_read; /* the topic's end and a marker were reached */
    int ready_directory, ready_bus;
};

/* The whole process; returns its exit code. */
int ingress_main(int argc, char **argv);

#endif
