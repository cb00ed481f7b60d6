/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/properties.h"

#include <stddef.h>

#define PROPERTY(name, type, group, from, label)              {name, type, label, NULL},
#define OF_JOB(name, type, group, from)                       {name, type, NULL, NULL},
#define SWITCH(field, name, option, verbs, help, label, text) {name, "b", label, text},

const struct property volume_properties[] = {
	VOLUME_PROPERTIES(PROPERTY) RUN_SWITCHES(SWITCH){},
};

const struct property job_properties[] = {
	JOB_PROPERTIES(OF_JOB){},
};
