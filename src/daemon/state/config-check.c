/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Settings that are right by themselves, and say nothing together or something else than they seem
 * to. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/state/config-internal.h"
#include "util/cleanup.h"
#include "util/log.h"

/* The largest step that there is (src/engine/engine.h), on a disk that reads and writes by turns.
 */
#define HOTZONE_MAX (UINT64_C(88) << 20)

void config_doubt(struct config *c, struct config_origin origin, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	c->doubts++;
	if (origin.line > 0)
		log_warning("%s:%u: %s", c->files[origin.file], origin.line, text ? text : "");
	else
		log_warning("%s", text ? text : "");
}

/* Where the section has the setting itself; else it is said of the section that has it. */
static bool has_row(const struct volume_config *v, const char *name, struct config_origin *ret)
{
	const struct config_row *row = config_row_find(volume_config_rows, name);
	const ptrdiff_t i = row - volume_config_rows;

	assert(row);
	*ret = v->from.rows[i];
	return v->set & UINT32_C(1) << i;
}

static void check_rates(struct config *c, const struct volume_config *v)
{
	const struct governor_config *g = &v->polite.governor;
	char min[CONFIG_AMOUNT_TEXT], max[CONFIG_AMOUNT_TEXT];
	const bool has_max = politeness_has(&v->polite, POLITENESS_RATE_MAX);

	if (g->rate_max == 0 || g->rate_min <= g->rate_max ||
	    (!has_max && !politeness_has(&v->polite, POLITENESS_RATE_MIN)))
		return;
	config_amount_text(CONFIG_RATE, g->rate_min, min);
	config_amount_text(CONFIG_RATE, g->rate_max, max);
	config_doubt(c, v->from.polite[has_max ? POLITENESS_RATE_MAX : POLITENESS_RATE_MIN],
		     "RateMin=%s is more than RateMax=%s: RateMin= applies", min, max);
}

static void check_provider(struct config *c, const struct volume_config *v)
{
	static const struct {
		enum provider_kind kind;
		size_t where;
		const char *setting;
	} needs[] = {
		{PROVIDER_KEY_FILE, offsetof(struct volume_config, provider.key_file), "KeyFile"},
		{PROVIDER_CREDENTIAL, offsetof(struct volume_config, provider.credential),
		 "Credential"},
		{PROVIDER_KEYRING, offsetof(struct volume_config, provider.keyring_key),
		 "KeyringKey"},
	};
	struct config_origin at;

	if (!has_row(v, "KeyProvider", &at))
		return;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (v->provider.kind == needs[i].kind &&
		    !*(char *const *)((const char *)v + needs[i].where))
			config_doubt(c, at,
				     "KeyProvider=%s has no key without %s=, which is not set",
				     provider_kind_names[v->provider.kind], needs[i].setting);
}

static void check_hotzone(struct config *c, const struct volume_config *v)
{
	char most[CONFIG_AMOUNT_TEXT];
	struct config_origin at;

	if (!has_row(v, "HotzoneSizeMax", &at) || v->hotzone_size_max <= HOTZONE_MAX)
		return;
	config_amount_text(CONFIG_BYTES, HOTZONE_MAX, most);
	config_doubt(c, at,
		     "HotzoneSizeMax= is more than the most that there is, %s, which applies",
		     most);
}

static void check_section(struct config *c, const struct volume_config *v)
{
	check_rates(c, v);
	check_hotzone(c, v);
	/* The defaults alone are no contradiction: a section may have the rest. */
	if (*v->uuid || c->n_volumes == 0)
		check_provider(c, v);
}

void config_check(struct config *c)
{
	check_section(c, &c->defaults);
	for (size_t i = 0; i < c->n_volumes; i++)
		check_section(c, &c->volumes[i]);
}
