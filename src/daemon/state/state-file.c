/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the state file says. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/state/config.h"
#include "daemon/state/whole-file.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/path-text.h"

static int print_path(FILE *f, const char *key, const char *path)
{
	_cleanup_free_ char *text = path_to_text(path);

	if (!text)
		return -ENOMEM;
	fprintf(f, "%s=%s\n", key, text);
	return 0;
}

static int print_volume(FILE *f, const struct volume_config *v)
{
	int r;

	assert(*v->uuid);
	fprintf(f, "\n[Volume %s]\n", v->uuid);
	if (v->device_id)
		fprintf(f, "DeviceId=%s\n", v->device_id);
	if (!v->remembered)
		return 0;
	r = v->device ? print_path(f, "Device", v->device) : 0;
	if (r < 0)
		return r;
	r = v->header_device ? print_path(f, "HeaderDevice", v->header_device) : 0;
	if (r < 0)
		return r;
	if (v->name)
		fprintf(f, "Name=%s\n", v->name);
	return 0;
}

static int print_state(FILE *f, const struct config *c)
{
	fputs("# Written by recryptd: what was asked for over the bus, and where volumes were "
	      "seen.\n",
	      f);
	if (c->has_kept_rate)
		fprintf(f, "[Manager]\nRateLimit=%llu\n", (unsigned long long)c->kept_rate_limit);
	for (size_t i = 0; i < c->n_volumes; i++) {
		int r;

		if (!c->volumes[i].remembered && !c->volumes[i].device_id)
			continue;
		r = print_volume(f, &c->volumes[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int print_text(const struct config *c, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int r, closed;

	if (!f)
		return -ENOMEM;
	r = print_state(f, c);
	closed = fclose(f) == 0 ? 0 : -ENOMEM;
	if (r < 0 || closed < 0)
		return r < 0 ? r : closed;
	*ret = TAKE_PTR(text);
	return 0;
}

int config_write_state(const struct config *c, const char *state_path)
{
	_cleanup_free_ char *text = NULL;
	int r = print_text(c, &text);

	if (r == 0)
		r = whole_file_replace(state_path, text);
	return r < 0 ? log_error_errno(r, "%s: cannot be written", state_path) : 0;
}
