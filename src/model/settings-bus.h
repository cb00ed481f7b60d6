/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dictionaries, a{sv}, by their rows. There are two ways of reading one:
 *
 *                          settings_read()          settings_read_known()
 *     for                  orders                   reports
 *     an unknown name      is refused               is skipped: the sender is of a later version
 *     a text too long      is refused               is cut
 *     a name twice         is refused               -EBADMSG
 *     another type         is refused               -EBADMSG
 *
 * An order is refused because nobody shall believe that a setting was obeyed which was not.
 */
#pragma once

#include <stddef.h>
#include <systemd/sd-bus.h>

#include "model/settings.h"

/* Rows, and the struct that they are of; rows NULL ends a list. */
struct settings_part {
	const struct setting *rows;
	void *values;
};
struct settings_source {
	const struct setting *rows;
	const void *values;
};

#define SETTINGS_EVERYWHERE 0U /* whatever the rows say of places */

/*
 * Reads the dictionary that comes next in @m into @parts, by the rows of @place. -EINVAL: @problem,
 * of @size bytes, says what is wrong with it. Other errors are those of sd-bus and -ENOMEM.
 */
int settings_read(sd_bus_message *m, const struct settings_part *parts, unsigned place,
		  char *problem, size_t size);

/* The same for a report. What is too much of a list is left out. -EBADMSG, and as above. */
int settings_read_known(sd_bus_message *m, const struct settings_part *parts, unsigned place);

/* Appends all that is set of the rows of @place, as entries of a dictionary, or as all of one. */
int settings_append_entries(sd_bus_message *m, const struct setting *rows, const void *values,
			    unsigned place);
int settings_append(sd_bus_message *m, const struct settings_source *sources, unsigned place);
