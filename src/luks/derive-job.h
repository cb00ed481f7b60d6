/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the process that derives keys is told, and what it answers. Both ends are the same program,
 * so plain structs pass as they are.
 *
 *     job:     struct derive_job_head, then the arguments of the operation, in order
 *     answer:  | kind | value | size | data |  again and again, with DERIVE_END as the last one
 *
 * A process that was killed has not sent DERIVE_END; what it said before still counts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <libcryptsetup.h>

#include "luks/derive.h"
#include "luks/place.h"
#include "util/secret.h"

enum derive_operation {
	DERIVE_OPEN,  /* a keyslot, by a passphrase or a token */
	DERIVE_BEGIN, /* add keyslots to a draft and begin the re-encryption in it */
};

struct derive_job_head {
	uint32_t operation;
	int32_t log_level;
	struct luks_cost_limits limits;
};

enum derive_frame_kind {
	DERIVE_LOG,     /* value: the level; data: a message for the log */
	DERIVE_KEY,     /* data: a volume key */
	DERIVE_NUMBERS, /* data: a struct luks_numbers */
	DERIVE_END,     /* value: 0 or a negative errno; data: why it gave up */
};

struct derive_frame {
	uint32_t kind;
	int32_t value;
	uint32_t size; /* bytes that follow */
};

/* A job under construction. An error lasts until derive_job_end(). */
struct derive_writer {
	struct secret *s;
	size_t used;
	int error;
};

int derive_job_begin(enum derive_operation operation, struct derive_writer *ret);
void derive_put(struct derive_writer *w, const void *data, size_t size);
void derive_put_data(struct derive_writer *w, const void *data, size_t size); /* NULL too */
void derive_put_text(struct derive_writer *w, const char *text);              /* NULL too */
void derive_put_secret(struct derive_writer *w, const struct secret *s);      /* NULL too */
int derive_job_end(struct derive_writer *w, struct secret **ret);

/* The names of the volume's files, for messages, and what its header says. */
void derive_put_context(struct derive_writer *w, struct crypt_device *cd);

/* Reads in the order of writing. An error lasts. */
struct derive_reader {
	const struct secret *s;
	size_t at;
	int error;
	int data_fd, header_fd; /* of a job: the files of the volume */
};

void derive_get(struct derive_reader *r, void *ret, size_t size);
/* The caller's to free; NULL where NULL was put. */
char *derive_get_text(struct derive_reader *r);
struct secret *derive_get_secret(struct derive_reader *r);
/* Logs failures. -ERROR_HEADER_CHANGED: the header says something else by now. @place must outlive
 * the context.
 */
int derive_get_context(struct derive_reader *r, struct luks_place *place,
		       struct crypt_device **ret);

/* The next frame of an answer and its data, which stay in @r: 1, or 0 at the end, -EBADMSG. */
int derive_get_frame(struct derive_reader *r, struct derive_frame *ret, const uint8_t **ret_data);

/*
 * Has @job, of context @cd, done by the process that the policy names, in the time of @n
 * derivations. @frame sees all that comes before the end, even of a process that was killed then.
 * What that one logged is logged here; a derivation that gave up is noted for luks_derive_why().
 */
int derive_elsewhere(const struct secret *job, struct crypt_device *cd, unsigned n,
		     const char *what,
		     int (*frame)(void *arg, const struct derive_frame *f, const uint8_t *data),
		     void *arg);

/* -EBADMSG: it has none. */
int derive_job_head(const struct secret *job, struct derive_job_head *ret);

/*
 * Does @job here, once in a process, on the files that the descriptors lead to; @send gets the
 * bytes of the answer.
 */
int luks_derive_serve(const struct secret *job, int data_fd, int header_fd,
		      int (*send)(const void *data, size_t size));

/* The operations, in the process that derives. */
struct derive_channel {
	int (*send)(const void *data, size_t size);
};
int derive_send(const struct derive_channel *c, enum derive_frame_kind kind, int value,
		const void *data, size_t size);
int derive_serve_open(struct derive_reader *r, const struct derive_channel *c);
int derive_serve_begin(struct derive_reader *r, const struct derive_channel *c);
