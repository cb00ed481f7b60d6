/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/accepted.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int request_id_check(const struct request_id *id, struct failure *f)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-._:";

	if (strspn(id->text, allowed) == strlen(id->text))
		return 0;
	return failure_set(f, -EINVAL,
			   "RequestId has other characters than letters, digits and -._:");
}

const struct accepted_call *accepted_find(const struct accepted_calls *a,
					  const struct request_id *id)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->calls[i].id.text, id->text) == 0)
			return &a->calls[i];
	return NULL;
}

const struct accepted_call *accepted_of_job(const struct accepted_calls *a, uint64_t job)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->calls[i].job == job)
			return &a->calls[i];
	return NULL;
}

static void drop(struct accepted_calls *a, size_t i)
{
	assert(i < a->n);
	a->n--;
	memmove(&a->calls[i], &a->calls[i + 1], (a->n - i) * sizeof(*a->calls));
}

int accepted_add(struct accepted_calls *a, const struct accepted_call *call)
{
	assert(*call->id.text && !accepted_find(a, &call->id));
	if (!a->calls)
		a->calls = calloc(ACCEPTED_KEPT, sizeof(*a->calls));
	if (!a->calls)
		return -ENOMEM;
	if (a->n == ACCEPTED_KEPT)
		drop(a, 0);
	a->calls[a->n++] = *call;
	return 0;
}

bool accepted_forget_job(struct accepted_calls *a, uint64_t job)
{
	const size_t before = a->n;

	assert(job > 0);
	for (size_t i = a->n; i-- > 0;)
		if (a->calls[i].job == job)
			drop(a, i);
	return a->n < before;
}

void accepted_forget_old(struct accepted_calls *a, uint64_t usec)
{
	for (size_t i = a->n; i-- > 0;)
		if (a->calls[i].job == 0 && a->calls[i].usec < usec)
			drop(a, i);
}

void accepted_free(struct accepted_calls *a)
{
	free(a->calls);
	*a = (struct accepted_calls){};
}
