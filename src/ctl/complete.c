/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ctl/complete.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options-table.h"
#include "ctl/verbs.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/text.h"

#define TAB_USEC UINT64_C(2000000) /* nobody waits longer for a TAB */

struct typed_word {
	size_t n; /* of the word that is typed */
	char **words;
	const char *typed; /* of it, so far */
	const struct verb_spec *verb;
	size_t n_operands; /* before it */
	json_object *volumes;
	FILE *out;
};

static void offer(const struct typed_word *p, const char *word, const char *meaning)
{
	_cleanup_free_ char *shown = text_masked(word);

	if (!shown || strcmp(shown, word) != 0) /* no terminal could be trusted with it */
		return;
	if (*word && strncmp(word, p->typed, strlen(p->typed)) == 0)
		fprintf(p->out, "%s%s%s\n", word, *meaning ? "\t" : "", meaning);
}

static void offer_files(const struct typed_word *p)
{
	fprintf(p->out, COMPLETE_FILES "\n");
}

/* --- values --- */

static void offer_members(const struct typed_word *p, const char *key)
{
	const size_t n = p->volumes ? json_object_array_length(p->volumes) : 0;

	for (size_t i = 0; i < n; i++)
		offer(p, json_text(json_object_array_get_idx(p->volumes, i), key), "");
}

/* @prefix stands before each value: of a word such as --json=pre. */
static void offer_list(const struct typed_word *p, const char *prefix, const char *values)
{
	while (*values) {
		const size_t size = strcspn(values, " ");
		char word[128];

		(void)snprintf(word, sizeof(word), "%s%.*s", prefix, (int)size, values);
		offer(p, word, "");
		values += size + strspn(values + size, " ");
	}
}

static bool is_file(const struct option_spec *s)
{
	return s->value && strcmp(s->value, "FILE") == 0;
}

static void offer_values(const struct typed_word *p, const struct option_spec *s,
			 const char *prefix)
{
	if (is_file(s) && !*prefix)
		offer_files(p);
	else if (strcmp(s->name, "group") == 0)
		offer_members(p, "Group");
	else if (strcmp(s->name, "active-name") == 0)
		offer_members(p, "Name");
	for (const struct value_spec *v = value_specs; v->option; v++)
		if (strcmp(v->option, s->name) == 0)
			offer_list(p, prefix, v->values);
}

static const struct option_spec *find_option(const char *word)
{
	if (strncmp(word, "--", 2) == 0)
		return option_find(word + 2);
	for (const struct option_spec *s = option_specs; s->name && *word == '-'; s++)
		if (s->letter && word[1] == s->letter && word[2] == '\0')
			return s;
	return NULL;
}

/* --option=VALUE, in one word (zsh), or in three: bash breaks words at '='. */
static bool offer_assigned(struct typed_word *p)
{
	const char *equals = strchr(p->typed, '=');
	char name[64];
	const struct option_spec *s;

	if (*p->typed == '-' && equals && (size_t)(equals - p->typed) < sizeof(name)) {
		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - p->typed), p->typed);
		s = find_option(name);
		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals + 1 - p->typed), p->typed);
		if (s)
			offer_values(p, s, name);
		return true;
	}
	if (strcmp(p->typed, "=") == 0 && p->n >= 2) {
		s = find_option(p->words[p->n - 1]);
		p->typed = "";
	} else if (p->n >= 3 && strcmp(p->words[p->n - 1], "=") == 0) {
		s = find_option(p->words[p->n - 2]);
	} else {
		return false;
	}
	if (s)
		offer_values(p, s, "");
	return true;
}

/* --- words --- */

static void offer_verbs(const struct typed_word *p)
{
	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (v->help)
			offer(p, v->name, v->help);
	if (!p->verb && *p->typed == '-') {
		offer(p, "--help", "print the verbs");
		offer(p, "--version", "print the version");
	}
}

static void offer_options(const struct typed_word *p)
{
	char word[64];

	for (const struct option_spec *s = option_specs; s->name; s++) {
		if (!option_is_listed(s, p->verb->verb))
			continue;
		(void)snprintf(word, sizeof(word), "--%s", s->name);
		offer(p, word, s->help);
	}
	offer(p, "--help", "the options of this verb");
}

static void offer_volumes(const struct typed_word *p)
{
	const size_t n = p->volumes ? json_object_array_length(p->volumes) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *v = json_object_array_get_idx(p->volumes, i);
		const char *name = json_text(v, "Name"), *device = json_text(v, "Device");

		offer(p, name, device);
		if (!*name || *p->typed == '/')
			offer(p, device, name);
	}
}

static void offer_operands(const struct typed_word *p)
{
	if (p->verb->verb == VERB_HELP) {
		offer_verbs(p);
		return;
	}
	if (p->n_operands >= p->verb->max)
		return;
	if (p->verb->verb == VERB_RATE && p->n_operands > 0) {
		offer_list(p, "", "default 0");
		return;
	}
	if (p->verb->verb != VERB_ADD)
		offer_volumes(p);
	/* An image may be named by its path. */
	if (strstr(p->verb->operands, "DEVICE") || strchr(p->typed, '/') || *p->typed == '.')
		offer_files(p);
}

/* What stands before the word: the verb, and how many operands. True: it is the value of @*ret. */
static bool read_before(struct typed_word *p, const struct option_spec **ret)
{
	const struct option_spec *open = NULL;

	for (size_t i = 1; i < p->n; i++) {
		const char *word = p->words[i];

		if (open || strcmp(word, "=") == 0 || strcmp(p->words[i - 1], "=") == 0) {
			open = NULL;
			continue;
		}
		if (*word == '-') {
			open = find_option(word);
			if (open && option_takes_value(open) != required_argument)
				open = NULL;
		} else if (!p->verb) {
			p->verb = verb_find(word);
		} else {
			p->n_operands++;
		}
	}
	*ret = open;
	return open;
}

void complete_word(size_t n, char **words, json_object *volumes, FILE *out)
{
	struct typed_word p = {
		.n = n, .words = words, .typed = words[n], .volumes = volumes, .out = out};
	const struct option_spec *s;

	if (offer_assigned(&p))
		return;
	if (read_before(&p, &s))
		offer_values(&p, s, "");
	else if (!p.verb)
		offer_verbs(&p);
	else if (*p.typed == '-')
		offer_options(&p);
	else
		offer_operands(&p);
}

/* --- the verb --- */

/* A TAB does not start the daemon, and another host is not asked. */
static json_object *known_volumes(void)
{
	static const struct options local = {};
	_cleanup_(client_close) struct client c = {};
	json_object *volumes = NULL;

	if (client_open(&local, &c) < 0)
		return NULL;
	(void)sd_bus_set_method_call_timeout(c.bus, TAB_USEC);
	c.log_off = true;
	client_never_start(&c);
	return client_has_daemon(&c) && client_volumes(&c, &volumes) == 0 ? volumes : NULL;
}

static bool names_host(size_t n, char **words)
{
	for (size_t i = 1; i < n; i++)
		if (strncmp(words[i], "-H", 2) == 0 || strncmp(words[i], "--remote", 8) == 0)
			return true;
	return false;
}

int verb_complete(const struct options *o)
{
	char **words = o->target.operands + 1;
	json_object *volumes;
	char *end;
	unsigned long n = strtoul(o->target.device, &end, 10);
	size_t count = 0;

	while (words[count])
		count++;
	if (*end || n == 0 || n > count)
		return -EINVAL;
	/* The word that is typed may be empty, and then some shells leave it out. */
	if (n == count) {
		static char nothing[] = "";
		char **more = calloc(count + 2, sizeof(*more));

		if (!more)
			return -ENOMEM;
		memcpy(more, words, count * sizeof(*more));
		more[count] = nothing;
		words = more;
	}
	volumes = names_host(n, words) ? NULL : known_volumes();
	complete_word(n, words, volumes, stdout);
	json_object_put(volumes);
	if (words != o->target.operands + 1)
		free(words);
	return fflush(stdout) == 0 ? 0 : -errno;
}
