/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the parts of the configuration share. */
#pragma once

#include "daemon/state/config.h"

/*
 * Each reads @value into the field at @where. -EINVAL, -ERANGE, -ENOMEM; the field stays as it was
 * then.
 */
int config_set_text(void *where, const char *value);  /* char *, "" is NULL */
int config_set_path(void *where, const char *value);  /* char *, absolute; "" is NULL */
int config_set_count(void *where, const char *value); /* unsigned, 65536 at most */

/*
 * A setting of a volume's section, or of the defaults where @v has no UUID. -ENOENT: there is none
 * of this name here.
 */
int volume_config_set(struct volume_config *v, const char *key, const char *value, bool state_file);

/* What @v leaves out is as in @defaults. -ENOMEM. */
int volume_config_inherit(struct volume_config *v, const struct volume_config *defaults);
