/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/status-format.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *table_name(enum status_table table)
{
	switch (table) {
	case STATUS_TABLE_AGREES:
		return "agrees";
	case STATUS_TABLE_STACK:
		return "stack";
	case STATUS_TABLE_SIZE:
		return "size";
	case STATUS_TABLE_DIFFERS:
		return "differs";
	case STATUS_TABLE_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

static const char *table_text(enum status_table table)
{
	switch (table) {
	case STATUS_TABLE_AGREES:
		return "its table agrees with the header";
	case STATUS_TABLE_STACK:
		return "a worker's devices are under it";
	case STATUS_TABLE_SIZE:
		return "its table agrees with the header but for its size";
	case STATUS_TABLE_DIFFERS:
		return "its table DIFFERS from the header";
	case STATUS_TABLE_UNKNOWN:
		return "its table could not be read";
	}
	return "";
}

/* Where the hotzone starts: behind the edge forward, before it backward. */
static uint64_t hotzone_offset(const struct luks_reenc *r)
{
	return r->direction == LUKS_FORWARD ? r->boundary : r->boundary - r->hot_size;
}

/* --- text --- */

/* @text is of the header, or a path. */
static void print_masked(FILE *out, const char *before, const char *text, const char *after)
{
	_cleanup_free_ char *copy = text_masked(text);

	fprintf(out, "%s%s%s", before, copy ?: "?", after);
}

static void print_side(FILE *out, const char *label, const struct luks_side *side)
{
	fprintf(out, "%-13s ", label);
	print_masked(out, "", side->crypt ? side->cipher : "(plaintext)", "");
	fprintf(out, ", sectors of %" PRIu32 " bytes\n", side->sector_size);
}

static void print_resilience(const struct luks_reenc *r, FILE *out)
{
	fprintf(out, "Resilience:   %s", luks_resilience_name(r->resilience));
	if (*r->hash) {
		print_masked(out, ", ", r->hash, "");
		fprintf(out, " of blocks of %" PRIu32 " bytes", r->block_size);
	}
	fprintf(out, "\n");
}

static void print_progress(const struct luks_status *s, FILE *out)
{
	const struct luks_reenc *r = &s->reenc;
	double percent = r->data_size ? (double)s->bytes_done / (double)r->data_size * 100 : 100;

	fprintf(out, "Done:         %" PRIu64 " bytes (%.1f%%)\n", s->bytes_done, percent);
	fprintf(out, "Left:         %" PRIu64 " bytes\n", s->bytes_left);
	if (r->hot_size)
		fprintf(out, "Hotzone:      %" PRIu64 " bytes at %" PRIu64 "\n", r->hot_size,
			hotzone_offset(r));
}

static void print_fixed_size(uint64_t size, FILE *out)
{
	if (size)
		fprintf(out,
			"Fixed size:   %" PRIu64
			" bytes, and the device has more; while the volume "
			"is closed, reencrypt needs --device-size %" PRIu64 "\n",
			size, size);
}

static bool daemon_is(const struct status *s, const char *state)
{
	return s->daemon_state && strcmp(s->daemon_state, state) == 0;
}

/* What the user should do next about a volume of the daemon; false: nothing that is known here. */
static bool print_advice_of_daemon(const struct status *s, FILE *out)
{
	static const char *const at_work[] = {"queued", "preparing", "running", "reversing",
					      "finishing"};
	const char *verb = daemon_is(s, "locked")                                ? "unlock"
			   : daemon_is(s, "suspended") || daemon_is(s, "failed") ? "resume"
										 : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(at_work); i++)
		if (daemon_is(s, at_work[i]))
			return true;
	if (!verb)
		return false;
	fprintf(out, "Next:         recryptctl %s", verb);
	print_masked(out, " ", s->daemon_name, "\n");
	return true;
}

/* What the user should do next. */
static void print_advice(const struct status *s, FILE *out)
{
	if (s->luks.reenc.state != LUKS_REENC_NONE && print_advice_of_daemon(s, out))
		/* and nothing else */;
	else if (s->luks.only_cryptsetup)
		fprintf(out,
			"Next:         cryptsetup reencrypt --resume-only; recryptctl cannot\n");
	else if (s->luks.reenc.state == LUKS_REENC_CLEAN &&
		 s->luks.reenc.resilience == LUKS_RESILIENCE_NONE)
		fprintf(out, "Next:         restore a backup if cryptsetup was killed; else see "
			     "--trust-position in recryptctl(8)\n");
	else if (s->luks.reenc.state == LUKS_REENC_HOT)
		fprintf(out, "Next:         recryptctl recover, or reencrypt to continue\n");
	else if (s->luks.reenc.state != LUKS_REENC_NONE)
		fprintf(out, "Next:         recryptctl reencrypt continues it\n");
	if (s->luks.only_us)
		fprintf(out,
			"Warning:      finish it with recryptctl only: cryptsetup reencrypt or "
			"repair could destroy data\n");
	if (s->luks.copy_bad)
		fprintf(out, "Warning:      one copy of the header is bad; the next writer repairs "
			     "it\n");
}

static void print_reencryption(const struct luks_status *s, FILE *out)
{
	const struct luks_reenc *r = &s->reenc;

	fprintf(out, "Mode:         %s, %s%s\n", luks_reenc_mode_name(r->mode),
		luks_direction_name(r->direction), r->keep_key ? ", the key is kept" : "");
	print_resilience(r, out);
	print_side(out, "Old:", &r->old_side);
	print_side(out, "New:", &r->new_side);
	print_progress(s, out);
}

/* Nothing of the rest can be reached through the mapping. */
static void print_sizes(const struct status *s, FILE *out)
{
	assert(s->name && s->table == STATUS_TABLE_SIZE);
	fprintf(out, "Open size:    %" PRIu64 " bytes, and the data are %" PRIu64, s->active_size,
		s->data_size);
	if (s->active_size < s->data_size && s->luks.reenc.state == LUKS_REENC_NONE)
		print_masked(out, "; cryptsetup resize ", s->name, " opens the rest");
	fprintf(out, "\n");
}

int status_format_text(const struct status *s, FILE *out)
{
	const struct luks_reenc *r = &s->luks.reenc;

	assert(!s->name || !s->other_name);
	print_masked(out, "Device:       ", s->device, "\n");
	if (s->header)
		print_masked(out, "Header:       ", s->header, "\n");
	print_masked(out, "UUID:         ", s->luks.uuid, "\n");
	if (s->name) {
		print_masked(out, "Open as:      ", s->name, "");
		fprintf(out, "; %s\n", table_text(s->table));
		if (s->table == STATUS_TABLE_SIZE)
			print_sizes(s, out);
	} else if (s->other_name) {
		print_masked(out,
			     "Open as:      not open; another device with this UUID is open as ",
			     s->other_name, "\n");
	}
	fprintf(out, "State:        %s\n",
		r->state == LUKS_REENC_FINISH ? "needs finishing"
					      : luks_reenc_state_name(r->state));
	if (r->state == LUKS_REENC_NONE)
		print_side(out, "Cipher:", &r->new_side);
	else
		print_reencryption(&s->luks, out);
	print_fixed_size(s->luks.fixed_size, out);
	print_advice(s, out);
	return ferror(out) ? -EIO : 0;
}

/* --- JSON --- */

/* Takes over @value; json-c gives NULL where memory is out. */
static int add(json_object *o, const char *key, json_object *value)
{
	if (!value || json_object_object_add(o, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int add_text(json_object *o, const char *key, const char *text)
{
	return text ? add(o, key, json_object_new_string(text))
		    : json_object_object_add(o, key, NULL);
}

static int add_number(json_object *o, const char *key, uint64_t value)
{
	return add(o, key, json_object_new_uint64(value));
}

static int add_bool(json_object *o, const char *key, bool value)
{
	return add(o, key, json_object_new_boolean(value));
}

/* The new empty object @key of @o, or NULL. */
static json_object *add_object(json_object *o, const char *key)
{
	json_object *child = json_object_new_object();

	return add(o, key, child) == 0 ? child : NULL;
}

static int add_side(json_object *o, const char *key, const struct luks_side *side)
{
	json_object *child = add_object(o, key);

	if (!child || add_text(child, "cipher", side->crypt ? side->cipher : NULL) < 0 ||
	    add_number(child, "sector_size", side->sector_size) < 0)
		return -ENOMEM;
	return 0;
}

static int add_resilience(json_object *o, const struct luks_reenc *r)
{
	json_object *child = add_object(o, "resilience");

	if (!child || add_text(child, "type", luks_resilience_name(r->resilience)) < 0 ||
	    add_text(child, "hash", *r->hash ? r->hash : NULL) < 0 ||
	    add_number(child, "block_size", r->block_size) < 0 ||
	    add_number(child, "area_size", r->area_size) < 0)
		return -ENOMEM;
	return 0;
}

static int add_hotzone(json_object *o, const struct luks_reenc *r)
{
	json_object *child;

	if (!r->hot_size)
		return json_object_object_add(o, "hotzone", NULL);
	child = add_object(o, "hotzone");
	if (!child || add_number(child, "offset", hotzone_offset(r)) < 0 ||
	    add_number(child, "size", r->hot_size) < 0)
		return -ENOMEM;
	return 0;
}

static int add_reencryption(json_object *o, const struct luks_status *s)
{
	const struct luks_reenc *r = &s->reenc;

	if (add_text(o, "mode", luks_reenc_mode_name(r->mode)) < 0 ||
	    add_text(o, "direction", luks_direction_name(r->direction)) < 0 ||
	    add_bool(o, "keep_key", r->keep_key) < 0 || add_resilience(o, r) < 0 ||
	    add_side(o, "old", &r->old_side) < 0 || add_side(o, "new", &r->new_side) < 0 ||
	    add_number(o, "bytes_done", s->bytes_done) < 0 ||
	    add_number(o, "bytes_left", s->bytes_left) < 0 || add_hotzone(o, r) < 0)
		return -ENOMEM;
	return 0;
}

static int add_active(json_object *o, const struct status *s)
{
	json_object *child;

	if (!s->name)
		return json_object_object_add(o, "active", NULL);
	child = add_object(o, "active");
	if (!child || add_text(child, "name", s->name) < 0 ||
	    add_text(child, "table", table_name(s->table)) < 0)
		return -ENOMEM;
	return 0;
}

static int add_fixed_size(json_object *o, uint64_t size)
{
	return size ? add_number(o, "fixed_size", size)
		    : json_object_object_add(o, "fixed_size", NULL);
}

int status_format_json(const struct status *s, json_object **ret)
{
	const struct luks_reenc *r = &s->luks.reenc;
	json_object *o = json_object_new_object();

	if (!o || add_text(o, "device", s->device) < 0 || add_text(o, "header", s->header) < 0 ||
	    add_text(o, "uuid", s->luks.uuid) < 0 || add_text(o, "label", s->luks.label) < 0 ||
	    add_active(o, s) < 0 || add_text(o, "state", luks_reenc_state_name(r->state)) < 0 ||
	    add_number(o, "data_offset", r->data_offset) < 0 ||
	    add_number(o, "data_size", r->data_size) < 0 ||
	    add_fixed_size(o, s->luks.fixed_size) < 0 ||
	    add_bool(o, "header_copy_bad", s->luks.copy_bad) < 0 ||
	    add_bool(o, "only_recryptctl", s->luks.only_us) < 0 ||
	    add_bool(o, "only_cryptsetup", s->luks.only_cryptsetup) < 0 ||
	    (r->state == LUKS_REENC_NONE ? add_side(o, "current", &r->new_side)
					 : add_reencryption(o, &s->luks)) < 0) {
		json_object_put(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}
