/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/volume-view.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/client.h"
#include "model/properties.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)

void view_bytes(uint64_t bytes, char *text)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && value >= 1024) {
		value /= 1024;
		i++;
	}
	(void)snprintf(text, VIEW_TEXT, i ? "%.1f %s" : "%.0f %s", value, units[i]);
}

void view_rate(uint64_t rate, char *text)
{
	view_bytes(rate, text);
	(void)strncat(text, "/s", VIEW_TEXT - strlen(text) - 1);
}

void view_duration(uint64_t usec, char *text)
{
	uint64_t s = usec / SECOND;

	if (s < 60)
		(void)snprintf(text, VIEW_TEXT, "%" PRIu64 "s", s);
	else if (s < 3600)
		(void)snprintf(text, VIEW_TEXT, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < UINT64_C(48) * 3600)
		(void)snprintf(text, VIEW_TEXT, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
			       s / 60 % 60);
	else
		(void)snprintf(text, VIEW_TEXT, "%" PRIu64 " days", s / 86400);
}

void view_time(uint64_t realtime_usec, char *text)
{
	time_t seconds = (time_t)(realtime_usec / SECOND);
	struct tm tm;

	if (realtime_usec == 0 || !localtime_r(&seconds, &tm) ||
	    strftime(text, VIEW_TEXT, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(text, VIEW_TEXT, "-");
}

double view_percent(json_object *volume)
{
	uint64_t total = json_number(volume, "BytesTotal");

	/* There the header, of which the bytes are, is being cleaned or clean already. */
	if (strcmp(json_text(volume, "State"), "finishing") == 0)
		return 100;
	return total ? (double)json_number(volume, "BytesDone") / (double)total * 100 : 0;
}

/* Is something being re-encrypted, or half way? */
static bool in_reencryption(json_object *volume)
{
	return *json_text(volume, "Mode") != '\0';
}

char *view_name(json_object *volume)
{
	const char *name = json_text(volume, "Name");

	return text_masked(*name ? name : json_text(volume, "Device"));
}

void view_time_left(json_object *volume, char *text)
{
	uint64_t end = json_number(volume, "ExpectedEndTime");
	struct timespec now;
	uint64_t usec;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	usec = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
	if (end > usec)
		view_duration(end - usec, text);
	else
		(void)snprintf(text, VIEW_TEXT, "-");
}

static int check_out(FILE *out)
{
	if (fflush(out) != 0)
		return -errno;
	return ferror(out) ? -(errno ?: EIO) : 0; /* of the write that failed */
}

/* --- one volume --- */

static int print_text(const char *label, const char *text, FILE *out)
{
	_cleanup_free_ char *copy = NULL;

	if (!*text)
		return 0;
	copy = text_masked(text);
	if (!copy)
		return -ENOMEM;
	fprintf(out, "%-13s %s\n", label, copy);
	return 0;
}

/* The texts that have a line of their own. */
static int print_texts(json_object *v, FILE *out)
{
	for (const struct property *p = volume_properties; p->name; p++) {
		int r = p->label && !p->text ? print_text(p->label, json_text(v, p->name), out) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int print_cipher(json_object *v, const char *label, const char *cipher, const char *size,
			FILE *out)
{
	_cleanup_free_ char *copy = text_masked(json_text(v, cipher));

	if (!copy)
		return -ENOMEM;
	if (*copy)
		fprintf(out, "%-13s %s, sectors of %" PRIu64 " bytes\n", label, copy,
			json_number(v, size));
	return 0;
}

static void print_progress(json_object *v, FILE *out)
{
	fprintf(out, "%-13s %" PRIu64 " bytes (%.1f%%)\n", "Done:", json_number(v, "BytesDone"),
		view_percent(v));
	fprintf(out, "%-13s %" PRIu64 " bytes\n", "Left:", json_number(v, "BytesLeft"));
	if (json_number(v, "HotzoneSize"))
		fprintf(out, "%-13s %" PRIu64 " bytes at %" PRIu64 "\n",
			"Hotzone:", json_number(v, "HotzoneSize"), json_number(v, "HotzoneOffset"));
}

static int print_last(json_object *v, FILE *out)
{
	json_object *last;
	char when[VIEW_TEXT];
	_cleanup_free_ char *message = NULL, *outcome = NULL;

	/* Of one that is not over the rest tells. */
	if (!json_object_object_get_ex(v, "LastRotation", &last) || !*json_text(last, "Outcome") ||
	    !json_number(last, "EndTime"))
		return 0;
	message = text_masked(json_text(last, "Message"));
	outcome = text_masked(json_text(last, "Outcome"));
	if (!message || !outcome)
		return -ENOMEM;
	view_time(json_number(last, "EndTime"), when);
	fprintf(out, "%-13s %s, %s%s%s\n", "Last:", outcome, when, *message ? ": " : "", message);
	return 0;
}

static int print_windows(json_object *v, FILE *out)
{
	json_object *windows;
	size_t n = 0;

	if (json_object_object_get_ex(v, "Windows", &windows))
		n = json_object_array_length(windows);
	for (size_t i = 0; i < n; i++) {
		json_object *window = json_object_array_get_idx(windows, i);
		int r = print_text("Window:", json_object_get_string(window), out);

		if (r < 0)
			return r;
	}
	return 0;
}

/* How it stays out of the way, and what may not wait for all that. */
static int print_politeness(json_object *v, FILE *out)
{
	_cleanup_free_ char *governor = text_masked(json_text(v, "Governor")),
			    *reason = text_masked(json_text(v, "GovernorReason"));
	char text[VIEW_TEXT];
	int r;

	if (!governor || !reason)
		return -ENOMEM;
	if (*governor && strcmp(governor, "none") != 0) {
		view_rate(json_number(v, "GovernorRate"), text);
		fprintf(out, "%-13s %s%s%s", "Governor:", governor, *reason ? ", " : "", reason);
		if (json_number(v, "GovernorRate"))
			fprintf(out, ": %s", text);
		fprintf(out, "\n");
	}
	r = print_windows(v, out);
	if (json_number(v, "Deadline")) {
		view_time(json_number(v, "Deadline"), text);
		fprintf(out, "%-13s %s%s\n", "Deadline:", text,
			json_number(v, "DeadlineAtRisk") ? ", will be missed" : "");
	}
	return r;
}

/* Only where the token does not count, or not yet. */
static int print_state_token(json_object *v, FILE *out)
{
	const char *trust = json_text(v, "StateToken");
	_cleanup_free_ char *reason = text_masked(json_text(v, "StateTokenReason"));

	if (!reason)
		return -ENOMEM;
	if (strcmp(trust, "unverified") == 0 || strcmp(trust, "untrusted") == 0)
		fprintf(out, "%-13s %s: %s\n", "State token:", trust, reason);
	return 0;
}

/* The properties that are true and have a line that says so. */
static void print_truths(json_object *v, FILE *out)
{
	for (const struct property *p = volume_properties; p->name; p++)
		if (p->text && json_number(v, p->name))
			fprintf(out, "%-13s %s\n", p->label, p->text);
}

/* What the header does not say. */
static int print_work(json_object *v, FILE *out)
{
	json_object *queued;
	char text[VIEW_TEXT];
	int r;

	if (json_number(v, "Rate")) {
		view_rate(json_number(v, "Rate"), text);
		fprintf(out, "%-13s %s\n", "Rate:", text);
		view_time(json_number(v, "ExpectedEndTime"), text);
		fprintf(out, "%-13s %s\n", "Done at:", text);
	}
	if (json_number(v, "LongestStall"))
		fprintf(out, "%-13s %.1f ms at most, %.1f ms in 99.9 %% of the ranges\n",
			"Stall:", (double)json_number(v, "LongestStall") / 1000,
			(double)json_number(v, "StallPercentile999") / 1000);
	if (json_number(v, "UnavoidableStall"))
		fprintf(out,
			"%-13s out of reach (%.0f ms): flushes and seeks of the disk take %.0f "
			"ms\n",
			"Stall target:", (double)json_number(v, "StallTarget") / 1000,
			(double)json_number(v, "UnavoidableStall") / 1000);
	if (json_number(v, "RateLimit")) {
		view_rate(json_number(v, "RateLimit"), text);
		fprintf(out, "%-13s %s\n", "Limit:", text);
	}
	print_truths(v, out);
	r = print_state_token(v, out);
	if (r < 0)
		return r;
	r = print_politeness(v, out);
	if (r < 0)
		return r;
	/* Until one has begun these are its own options. */
	if (in_reencryption(v) && json_object_object_get_ex(v, "QueuedRotation", &queued) &&
	    json_object_object_length(queued) > 0)
		fprintf(out, "%-13s another rotation begins when this one is done\n", "Queued:");
	return print_last(v, out);
}

/* Another program has ended what the daemon has suspended, and the daemon has not looked since. */
static int print_outdated(json_object *v, FILE *out)
{
	_cleanup_free_ char *state = text_masked(json_text(v, "State")),
			    *device = text_masked(json_text(v, "Device"));

	if (!state || !device)
		return -ENOMEM;
	fprintf(out,
		"%-13s %s when it last looked, and there is no re-encryption any more; to have it "
		"look: recryptctl add %s\n",
		"Daemon:", state, device);
	return check_out(out);
}

int view_work(json_object *v, bool in_header, FILE *out)
{
	int r;

	if (in_reencryption(v) && !in_header && strcmp(json_text(v, "State"), "finishing") != 0)
		return print_outdated(v, out);
	r = print_text("Daemon:", json_text(v, "State"), out);
	if (r < 0)
		return r;
	r = print_text("Reason:", json_text(v, "StateReason"), out);
	if (r < 0)
		return r;
	r = print_text("Key:", json_text(v, "KeyId"), out);
	if (r < 0)
		return r;
	r = print_work(v, out);
	return r < 0 ? r : check_out(out);
}

int view_volume(json_object *v, FILE *out)
{
	int r = print_texts(v, out);

	if (r < 0)
		return r;
	r = print_cipher(v, in_reencryption(v) ? "Old:" : "Cipher:", "OldCipher", "OldSectorSize",
			 out);
	if (r < 0)
		return r;
	if (in_reencryption(v)) {
		r = print_cipher(v, "New:", "NewCipher", "NewSectorSize", out);
		print_progress(v, out);
	}
	if (r < 0)
		return r;
	r = print_work(v, out);
	return r < 0 ? r : check_out(out);
}

/* --- keys, and the dry run --- */

int view_keys(json_object *volume, FILE *out)
{
	json_object *keys;
	size_t n = 0;

	fprintf(out, "%10s %-10s %-36s  %-19s  %s\n", "GENERATION", "STATE", "KEY", "ACTIVE SINCE",
		"RETIRED");
	if (json_object_object_get_ex(volume, "Keys", &keys))
		n = json_object_array_length(keys);
	for (size_t i = 0; i < n; i++) {
		json_object *k = json_object_array_get_idx(keys, i);
		char active[VIEW_TEXT], retired[VIEW_TEXT];
		_cleanup_free_ char *id = NULL, *state = NULL;

		if (json_object_array_length(k) < 7)
			return -EBADMSG;
		id = text_masked(json_object_get_string(json_object_array_get_idx(k, 0)));
		state = text_masked(json_object_get_string(json_object_array_get_idx(k, 2)));
		if (!id || !state)
			return -ENOMEM;
		view_time(json_object_get_uint64(json_object_array_get_idx(k, 5)), active);
		view_time(json_object_get_uint64(json_object_array_get_idx(k, 6)), retired);
		fprintf(out, "%10" PRIu64 " %-10s %-36s  %-19s  %s\n",
			json_object_get_uint64(json_object_array_get_idx(k, 1)), state, id, active,
			retired);
	}
	return check_out(out);
}

static void print_slots(json_object *o, const char *label, const char *key, FILE *out)
{
	json_object *slots;
	size_t n = 0;

	if (json_object_object_get_ex(o, key, &slots))
		n = json_object_array_length(slots);
	fprintf(out, "%-13s", label);
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %" PRIu64,
			json_object_get_uint64(json_object_array_get_idx(slots, i)));
	fprintf(out, "%s\n", n ? "" : " none");
}

int view_check(json_object *o, FILE *out)
{
	uint64_t time = json_number(o, "EstimatedTime");
	char text[VIEW_TEXT];
	int r;

	r = print_cipher(o, "Old:", "OldCipher", "OldSectorSize", out);
	if (r < 0)
		return r;
	r = print_cipher(o, "New:", "NewCipher", "NewSectorSize", out);
	if (r < 0)
		return r;
	view_bytes(json_number(o, "BytesTotal"), text);
	fprintf(out, "%-13s %s\n", "To convert:", text);
	if (time) {
		view_duration(time, text);
		fprintf(out, "%-13s about %s\n", "Time:", text);
	}
	print_slots(o, "Kept slots:", "KeptKeyslots", out);
	print_slots(o, "Lost slots:", "LostKeyslots", out);
	r = print_text("Obstacle:", json_text(o, "Obstacle"), out);
	return r < 0 ? r : check_out(out);
}
