/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A slot of the volume: its state token, and the record that is obeyed (see volume-trust.c). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/state/record.h"
#include "daemon/state/remembered.h"
#include "proto/messages.h"

struct volume;

/* The record as the bus shows it. */
struct shown_record {
	size_t n_keys;
	struct volume_key *keys;
	char key_id[37]; /* of the active key; "": not known yet */
	uint32_t key_generation;
	bool has_queued;
	struct rotate_options queued;
	struct last_rotation last;
};

struct volume_token {
	struct record record; /* that is obeyed */
	char *json;           /* what it is put into: members that we do not know stay */
	char *sent_json;      /* as it was sent to the worker */
	struct record *found; /* of a token that is not obeyed; NULL: @record */
	char *found_json;     /* that token; NULL: all is obeyed */
	uint64_t found_serial;
	struct remembered memory;
	bool memory_loaded;
	/* May the token be obeyed? "none", "unverified", "verified", "untrusted" */
	char trust[16];
	char trust_reason[192]; /* why not; "" */
	struct shown_record shown;
};

void token_free(struct volume_token *t);

/* The record of a look, as far as it is to be obeyed. May take its text. -ENOMEM etc. */
int volume_take_record(struct volume *v, struct worker_look *look);
/* It has been changed, and is to be written; returns its sequence. */
uint64_t volume_record_changed(struct volume *v);
void volume_show_record(struct volume *v);
/* The record's text, which this host remembers before it is sent; stays the volume's. */
int volume_remember_pending(struct volume *v, const char **ret_json);
/* It is in the header. */
void volume_remember_written(struct volume *v);
/* A job of ours has left the header so: from here on an older one is a conflict. */
void volume_note_sequence(struct volume *v);

/* A person has taken the header as it is: the record follows it. */
void volume_accept_header(struct volume *v);
/* A person has taken the token that is on show. */
int volume_accept_token(struct volume *v);
