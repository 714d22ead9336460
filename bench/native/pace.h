/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Where to, how fast and for how long. */
struct pace_options {
	struct sockaddr_storage address;
	socklen_t address_length;
	double per_second;
	double seconds;
	double deadline_ms; /* of a single connection */
};

/* Connections until the time is over or standard input ends; blocks. */
napi_value pace_connections(napi_env env, const struct pace_options *options);

#endif
