/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a service comes by keys: handed in, fetched by a provider, adopted from the worker before.
 * What opens nothing is not kept. v->look and v->header are of now. Each logs why it failed.
 */
#pragma once

#include "worker/service-jobs.h"

/* -ERROR_KEY_REJECTED: opens nothing. */
int service_unlock(struct service_volume *v, const struct work_request *q, struct report *report);

/* -ETIMEDOUT: no answer in time; -ENOKEY: the provider has nothing. */
int service_use_provider(struct service_volume *v, const struct work_request *q,
			 struct report *report);

/* -ERROR_HEADER_CHANGED: the header knows neither key any more. */
int service_adopt(struct service_volume *v, const struct work_request *q);

/* Is all at hand that converting (or, without a re-encryption, beginning one) needs? */
bool service_is_unlocked(struct service_volume *v);
