/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/help.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "util/exit-code.h"
#include "cli/options-table.h"
#include "util/checked.h"

static void print_option(const struct option_spec *s, FILE *out)
{
	char names[64];

	(void)snprintf(names, sizeof(names), "--%s%s%s", s->name,
		       s->value && option_takes_value(s) == required_argument ? " " : "",
		       s->value ? s->value : "");
	if (s->letter)
		fprintf(out, "  -%c, %-30s %s\n", s->letter, names, s->help);
	else
		fprintf(out, "      %-30s %s\n", names, s->help);
}

static void print_verbs(const char *program, FILE *out)
{
	fprintf(out, "Usage: %s VERB [OPTIONS] VOLUME\n\n", program);
	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (v->help)
			fprintf(out, "  %-9s %-20s %s\n", v->name, v->operands, v->help);
	fprintf(out,
		"\nA VOLUME is named by its mapping, its device or its UUID.\n"
		"The options of a verb: %s VERB --help. All of them: recryptctl(8).\n",
		program);
}

static void print_options(enum verb verb, FILE *out)
{
	bool sizes = false, ignored = false;

	fprintf(out, "\nOptions:\n");
	for (const struct option_spec *s = option_specs; s->name; s++) {
		if (option_is_listed(s, verb))
			print_option(s, out);
		sizes = sizes || (option_is_listed(s, verb) &&
				  (s->kind == KIND_SIZE || s->kind == KIND_RATE));
		ignored = ignored || (s->verbs & ON(verb) && option_is_ignored(s));
	}
	if (sizes)
		fprintf(out, "A SIZE or RATE takes S, K, M, G, T, KiB, KB, ...\n");
	if (!ignored)
		return;
	fprintf(out, "\nAccepted, and without effect:");
	for (const struct option_spec *s = option_specs; s->name; s++)
		if (s->verbs & ON(verb) && option_is_ignored(s))
			fprintf(out, " %s", s->name);
	fprintf(out, "\n");
}

static void print_exit_codes(FILE *out)
{
	fprintf(out, "\nExit codes of a wait that is no success:\n");
	for (const struct exit_row *row = exit_rows; row->text; row++)
		if (row->code >= EXIT_OF_WAIT)
			fprintf(out, "  %2d  %s\n", row->code, row->text);
}

static void print_verb(const char *program, const struct verb_spec *v, FILE *out)
{
	fprintf(out, "Usage: %s %s [OPTIONS]%s%s\n\n%s: %s\n", program, v->name,
		*v->operands ? " " : "", v->operands, v->name, v->help);
	print_options(v->verb, out);
	if (option_is_listed(option_find("wait"), v->verb))
		print_exit_codes(out);
	if (v->example)
		fprintf(out, "\nExample:\n  %s %s%s%s\n", program, v->name, *v->example ? " " : "",
			v->example);
	fprintf(out, "\nSee recryptctl(8).\n");
}

int help_print(const char *program, enum verb verb, FILE *out)
{
	const struct verb_spec *v = verb_specs;

	while (v->verb != verb && v->name)
		v++;
	assert(v->name);
	errno = 0;
	if (verb == VERB_HELP || !v->help)
		print_verbs(program, out);
	else
		print_verb(program, v, out);
	/* What fitted into no buffer was written, or lost, before. */
	return fflush(out) == 0 && !ferror(out) ? 0 : -(errno ?: EIO);
}
