/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * For the tests of the service: a real LUKS2 volume with known plaintext in an image file, a real
 * recrypt-worker beside this program in the build tree, and a manager of a few lines.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "proto/service-bus.h"

#define SECONDS UINT64_C(1000000)
#define LIMIT   (240 * SECONDS) /* for anything that is waited for */

extern char test_dir[]; /* private, removed at the end */
extern char test_image[64];

/* The exit code of a shell command in test_dir; RUN() wants 0. */
int run(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define RUN(...) assert_int_equal(run(__VA_ARGS__), 0)

int make_directory(void **state);
int remove_directory(void **state);

/* A volume of @mib MiB of data, opened by the passphrase "a", in files pass-a, pass-b and pass-c.
 */
void make_volume(unsigned mib, const char *format_options);
/* Its plaintext is what make_volume() put there, under the key that @passphrase opens. */
void assert_plaintext(const char *passphrase);

struct worker {
	pid_t pid;
	int control_fd;
	sd_bus *bus;
};

/* Started on test_image, connected. @set_up (may be NULL) runs in its process before it. */
void worker_start(struct worker *w, void (*set_up)(void));
void worker_start_in_foreground(struct worker *w); /* as recryptctl does */
void worker_connect(struct worker *w);
/* Drops the connection, not the control socket. */
void worker_disconnect(struct worker *w);
/* Asserts that it ends by itself, with exit code 0. */
void worker_wait(struct worker *w);
void worker_wait_code(struct worker *w, int code);
/* SIGKILL. */
void worker_kill(struct worker *w);
/* Quit(), and the same. */
void worker_quit(struct worker *w);

/* Calls that must succeed, and what must fail with SERVICE_ERROR_PREFIX @name. */
void call(struct worker *w, const char *method, const char *types, ...);
void call_fails(struct worker *w, const char *name, const char *method, const char *types, ...);

/* A pipe or memfd that gives @secret to its end. */
int secret_pipe(const char *secret);
int secret_memfd(const void *secret, size_t size);

/* The next signal of this name, put at its first argument; unref it. */
sd_bus_message *wait_signal(struct worker *w, const char *name);
/* The next Done, which must be of @job; put at its dictionary. @error: its name, "" for success. */
sd_bus_message *wait_done(struct worker *w, const char *job, const char *error);
/* Calls @job without arguments and waits for its success. */
void do_job(struct worker *w, const char *method, const char *job);
/* Unlock() with a passphrase that is right. */
void unlock(struct worker *w, const char *passphrase);

/*
 * A member of the a{sv} at which @m is; the message is put back. One that is missing is 0, "" or no
 * number, as for the manager.
 */
uint64_t get_number(sd_bus_message *m, const char *key);
const char *get_text(sd_bus_message *m, const char *key);
bool has_member(sd_bus_message *m, const char *key);
/* "0,2": an array of numbers. */
void assert_numbers(sd_bus_message *m, const char *key, const char *expected);

/* The reply of Inspect() or GetStatus(), at its dictionary. */
sd_bus_message *inspect(struct worker *w);
sd_bus_message *get_status(struct worker *w);
