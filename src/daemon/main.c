/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recryptd: options, the event loop, and the end. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/bus/bus.h"
#include "daemon/control/manager.h"
#include "daemon/state/config.h"
#include "model/least-rate.h"
#include "util/checked.h"
#include "util/io.h"
#include "util/log.h"

enum option_code {
	OPTION_HELP = 0x100,
	OPTION_VERSION,
	OPTION_INTROSPECT,
	OPTION_CONFIG,
	OPTION_CHECK_CONFIG,
	OPTION_STATE,
	OPTION_NO_DEVICES,
	OPTION_DEBUG
};

struct daemon_options {
	struct manager_options manager;
	const char *introspect; /* path of an object, or NULL */
	bool help, version, check_config;
};

static int print_help(void)
{
	printf("Usage: recryptd [OPTIONS]\n\n"
	       "Re-encrypts LUKS2 volumes as it is told over D-Bus; see recryptctl(8).\n\n"
	       "      --bus-introspect PATH   print the interfaces of a bus object, and exit\n"
	       "      --check-config          read the configuration, say what is wrong, and exit\n"
	       "      --config FILE           instead of /etc/recryptd/recryptd.conf\n"
	       "      --state-directory DIR   instead of /var/lib/recryptd\n"
	       "      --no-devices            look for no volumes: no device-mapper, no udev\n"
	       "      --debug                 say everything\n"
	       "      --help                  print this\n"
	       "      --version               print the version\n\n"
	       "See recryptd(8).\n");
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int parse_options(int argc, char **argv, struct daemon_options *o)
{
	static const struct option longs[] = {
		{"help", no_argument, NULL, OPTION_HELP},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"bus-introspect", required_argument, NULL, OPTION_INTROSPECT},
		{"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
		{"config", required_argument, NULL, OPTION_CONFIG},
		{"state-directory", required_argument, NULL, OPTION_STATE},
		{"no-devices", no_argument, NULL, OPTION_NO_DEVICES},
		{"debug", no_argument, NULL, OPTION_DEBUG},
		{},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		switch (c) {
		case OPTION_HELP:
			o->help = true;
			break;
		case OPTION_VERSION:
			o->version = true;
			break;
		case OPTION_INTROSPECT:
			o->introspect = optarg;
			break;
		case OPTION_CHECK_CONFIG:
			o->check_config = true;
			break;
		case OPTION_CONFIG:
			o->manager.config_path = optarg;
			break;
		case OPTION_STATE:
			o->manager.state_dir = optarg;
			break;
		case OPTION_NO_DEVICES:
			o->manager.no_devices = true;
			break;
		case OPTION_DEBUG:
			log_set_level(LOG_DEBUG);
			break;
		case ':':
			return log_refusal(-EINVAL, "%s needs a value; see recryptd --help",
					   argv[optind - 1]);
		default:
			return log_refusal(-EINVAL, "unknown option \"%s\"; see recryptd --help",
					   argv[optind - 1]);
		}
	}
	if (optind < argc)
		return log_refusal(-EINVAL, "recryptd takes no arguments, but \"%s\" was given",
				   argv[optind]);
	return 0;
}

static void on_stopped(void *userdata)
{
	(void)sd_event_exit(userdata, EXIT_SUCCESS);
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	(void)si;
	manager_stop(userdata, on_stopped, sd_event_source_get_event(s));
	return 0;
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct failure f = {};

	(void)s;
	(void)si;
	if (manager_reload(userdata, &f) < 0)
		log_error("%s", f.text);
	return 0;
}

static int catch_signals(sd_event *event, struct manager *m)
{
	static const struct {
		int signal;
		sd_event_signal_handler_t handler;
	} signals[] = {{SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_hangup}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++) {
		sigset_t set;

		(void)sigemptyset(&set);
		(void)sigaddset(&set, signals[i].signal);
		if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
			return -errno;
		r = sd_event_add_signal(event, NULL, signals[i].signal, signals[i].handler, m);
	}
	return r;
}

/*
 * One large message must not leave its memory behind: without this, malloc keeps as much as it had
 * to give once.
 */
static int give_memory_back(void)
{
#ifndef __SANITIZE_ADDRESS__ /* its malloc has no such options */
	if (!mallopt(M_MMAP_THRESHOLD, 128 * 1024) || !mallopt(M_TRIM_THRESHOLD, 128 * 1024))
		return -ENOMEM;
#endif
	return 0;
}

static int run_daemon(const struct manager_options *options)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(manager_freep) struct manager *m = NULL;
	_cleanup_(bus_freep) struct bus *b = NULL;
	int r;

	r = give_memory_back();
	if (r < 0)
		return r;
	r = sd_event_default(&event);
	if (r < 0)
		return r;
	r = sd_event_set_watchdog(event, 1);
	if (r < 0)
		return r;
	r = manager_new(event, options, &m);
	if (r < 0)
		return r;
	r = catch_signals(event, m);
	if (r < 0)
		return r;
	r = bus_new(m, &b);
	if (r < 0)
		return r;
	r = manager_start(m);
	if (r < 0)
		return r;
	r = bus_start(b);
	return r < 0 ? r : sd_event_loop(event);
}

static int introspect(const char *path)
{
	int r = bus_introspect(path, stdout);

	return r < 0 ? log_error_errno(r, "%s", path) : 0;
}

/* -EINVAL: something is wrong, and has been logged. */
static int check_config(const char *path)
{
	_cleanup_(config_freep) struct config *c = NULL;
	int r = config_load(path, NULL, &c);

	if (r < 0)
		return r;
	return c->ignored > 0 || c->doubts > 0 ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	struct daemon_options o = {.manager = {.config_path = "/etc/recryptd/recryptd.conf",
					       .state_dir = "/var/lib/recryptd"}};
	int r;

	if (open_standard_streams() < 0)
		return EXIT_FAILURE;
	log_init("recryptd", LOG_INFO);
	if (getenv("RECRYPTD_LOW_RATES"))
		least_rate_set(0);
	r = parse_options(argc, argv, &o);
	if (r < 0)
		return EXIT_FAILURE;
	if (o.help)
		r = print_help();
	else if (o.version)
		r = printf("recryptd " PACKAGE_VERSION "\n") < 0 ? -EIO : 0;
	else if (o.check_config)
		r = check_config(o.manager.config_path);
	else if (o.introspect)
		r = introspect(o.introspect);
	else
		r = run_daemon(&o.manager);
	return r < 0 ? EXIT_FAILURE : r;
}
