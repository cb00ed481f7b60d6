/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The two threads of a service. The main thread works on the volume; the other one answers the
 * manager, always at once, and ends when the work has ended.
 */
#include "worker/service.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/derive.h"
#include "proto/fd-packet.h"
#include "worker/process.h"
#include "proto/service-bus.h"
#include "worker/service-internal.h"

/* Bytes; all of a stack is locked into memory. */
#define STACK_SIZE ((size_t)512 << 10)
/* Progress is sent so often at most, microseconds. */
#define PROGRESS_USEC UINT64_C(500000)
/* The same for a person who watches it. */
#define SHOWN_USEC UINT64_C(50000)
/* How long the manager is given to take the last messages, microseconds. */
#define LAST_WORDS_USEC UINT64_C(2000000)

int service_keep_call(struct service *s, sd_bus_message *m, uint64_t record_serial)
{
	if (s->n_calls == SERVICE_CALLS_MAX)
		return -ENOBUFS;
	s->call[s->n_calls++] = (struct service_call){sd_bus_message_ref(m), record_serial};
	return 0;
}

void service_drop_calls(struct service *s)
{
	while (s->n_calls > 0)
		sd_bus_message_unref(s->call[--s->n_calls].message);
}

static void disconnect(struct service *s)
{
	service_drop_calls(s);
	s->greeted = false;
	s->bus = sd_bus_close_unref(s->bus);
}

static int on_disconnected(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;

	(void)m;
	(void)error;
	disconnect(s);
	if (s->foreground)
		control_hang_up(s->control); /* nobody else will connect */
	return 0;
}

static int on_message(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct service *s = arg;

	(void)error;
	if (!s->greeted && sd_bus_message_is_method_call(m, NULL, NULL)) {
		s->greeted = true;
		service_send_kept_keys(s);
	}
	return 0;
}

/* @fd is taken over in any case. */
static int new_server(int fd, sd_bus **ret)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	_cleanup_close_ int owned = fd;
	sd_id128_t id;
	int r = sd_bus_new(&bus);

	assert(fd >= 0);
	if (r < 0)
		return r;
	r = sd_bus_set_fd(bus, fd, fd);
	if (r < 0)
		return r;
	(void)TAKE_FD(owned); /* the bus has it */
	r = sd_id128_randomize(&id);
	if (r < 0)
		return r;
	r = sd_bus_set_server(bus, 1, id);
	if (r < 0)
		return r;
	r = sd_bus_negotiate_fds(bus, 1);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

/* @fd is taken over in any case. */
static int start_bus(struct service *s, int fd, sd_bus **ret)
{
	_cleanup_(sd_bus_close_unrefp) sd_bus *bus = NULL;
	int r = new_server(fd, &bus);

	if (r < 0)
		return r;
	r = sd_bus_add_object_vtable(bus, NULL, SERVICE_PATH, SERVICE_INTERFACE, service_vtable, s);
	if (r < 0)
		return r;
	r = sd_bus_add_filter(bus, NULL, on_message, s);
	if (r < 0)
		return r;
	r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local",
				      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
				      "Disconnected", on_disconnected, NULL, s);
	if (r < 0)
		return r;
	r = sd_bus_start(bus);
	if (r < 0)
		return r;
	r = sd_bus_attach_event(bus, s->event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

static int on_control(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct service *s = arg;
	int connection = -1, r;

	(void)revents;
	r = fd_packet_receive(fd, &connection);
	if (r == -EAGAIN || r == -EBADMSG)
		return 0;
	if (r <= 0) {
		if (!s->foreground)
			log_notice("the manager is gone for good; stopping");
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		control_hang_up(s->control);
		return 0;
	}
	disconnect(s);
	r = start_bus(s, connection, &s->bus);
	if (r < 0)
		log_error_errno(r, "a connection of the manager cannot be served");
	return 0;
}

static int on_report(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct service *s = arg;
	uint64_t count;

	(void)source;
	(void)revents;
	if (read(fd, &count, sizeof(count)) < 0)
		return errno == EAGAIN ? 0 : -errno;
	service_send_reports(s);
	return control_has_ended(s->control) ? sd_event_exit(s->event, 0) : 0;
}

/* What the handler has begun. */
static int on_signalled(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct service *s = arg;

	(void)fd;
	(void)revents;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	control_quit(s->control);
	return 0;
}

static uint64_t progress_usec(const struct service *s)
{
	return s->foreground ? SHOWN_USEC : PROGRESS_USEC;
}

/* No wake-ups but those of work: the timer runs from Convert() to its end. */
static int on_progress_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct service *s = arg;
	int r;

	service_send_progress(s, false);
	if (control_job(s->control) == WORKER_NONE)
		return 0;
	r = sd_event_source_set_time(source, usec + progress_usec(s));
	return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int service_start_progress(struct service *s)
{
	int r = sd_event_source_set_time_relative(s->progress_timer, progress_usec(s));

	s->last_usec = 0;
	return r < 0 ? r : sd_event_source_set_enabled(s->progress_timer, SD_EVENT_ONESHOT);
}

static int add_sources(struct service *s)
{
	int r = sd_event_add_io(s->event, NULL, s->control_fd, EPOLLIN, on_control, s);

	if (r < 0)
		return r;
	r = sd_event_add_io(s->event, NULL, s->control->event_fd, EPOLLIN, on_report, s);
	if (r < 0)
		return r;
	r = sd_event_add_io(s->event, NULL, s->control->signal_fd, EPOLLIN, on_signalled, s);
	if (r < 0)
		return r;
	r = sd_event_add_time(s->event, &s->progress_timer, CLOCK_MONOTONIC, 0, 0,
			      on_progress_timer, s);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(s->progress_timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	return 0;
}

/* A manager that does not read does not keep us. */
static void send_the_rest(struct service *s)
{
	const uint64_t deadline = now_usec() + LAST_WORDS_USEC;
	uint64_t queued;

	while (s->bus && sd_bus_get_n_queued_write(s->bus, &queued) >= 0 && queued > 0 &&
	       now_usec() < deadline)
		if (sd_bus_process(s->bus, NULL) < 0 || sd_bus_wait(s->bus, PROGRESS_USEC / 5) < 0)
			break;
}

static int process_events(struct service *s)
{
	int r = sd_event_new(&s->event);

	if (r < 0)
		return r;
	r = add_sources(s);
	return r < 0 ? r : sd_event_loop(s->event);
}

static int run_loop(struct service *s)
{
	const int r = process_events(s);

	send_the_rest(s);
	disconnect(s);
	s->kept_keys = report_free(s->kept_keys);
	s->progress_timer = sd_event_source_unref(s->progress_timer);
	s->event = sd_event_unref(s->event);
	return r;
}

/* Without the manager's ear there is nothing to go on for. */
static void *control_thread(void *arg)
{
	struct service *s = arg;
	int r = run_loop(s);

	if (r < 0)
		log_error_errno(r, "the manager cannot be served; stopping");
	control_quit(s->control);
	return NULL;
}

static int start_thread(struct service *s, pthread_t *ret)
{
	pthread_attr_t attr;
	int error = pthread_attr_init(&attr);

	if (error)
		return -error;
	error = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (error == 0)
		error = pthread_create(ret, &attr, control_thread, s);
	(void)pthread_attr_destroy(&attr);
	return -error;
}

/* Signals end the work with a clean header. Whichever thread gets one, no hotzone is begun after
 * it. */
static struct control *stopped_by_signals;

static void on_signal(int signal)
{
	const int saved = errno;

	if (signal == SIGTERM)
		process_outlive_final_kill();
	control_signal(stopped_by_signals);
	errno = saved;
}

static int handle_signals(void (*handler)(int signal))
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	const struct sigaction act = {.sa_handler = handler};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (sigaction(signals[i], &act, NULL) < 0)
			return -errno;
	return 0;
}

/* Until release_signals(). */
static int catch_signals(struct control *c)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	stopped_by_signals = c;
	if (sigaction(SIGPIPE, &ignore, NULL) < 0)
		return -errno;
	return handle_signals(on_signal);
}

/* The process ends. */
static void release_signals(void)
{
	(void)handle_signals(SIG_IGN);
}

/* What the command line says. */
struct service_options {
	struct work_options work;
	struct luks_cost_limits cost;
	int control_fd;
	bool foreground, verbose, debug, quiet;
};

static int serve(const struct service_options *o)
{
	struct control control;
	struct service service = {
		.control = &control, .control_fd = o->control_fd, .foreground = o->foreground};
	struct work_options base = o->work;
	struct service_volume volume = {.base = &base, .control = &control};
	pthread_t thread;
	int r = control_init(&control);

	base.target.identity = &volume.identity;
	if (r < 0)
		return log_error_errno(r, "cannot start");
	r = catch_signals(&control);
	if (r < 0)
		return log_error_errno(r, "cannot start");
	derive_set_up(&o->cost, base.key_timeout * UINT64_C(1000000), control.stop_fd);
	r = start_thread(&service, &thread);
	if (r < 0) {
		release_signals();
		control_destroy(&control);
		return log_error_errno(r, "cannot start a thread");
	}
	service_work(&volume);
	control_end(&control);
	(void)pthread_join(thread, NULL);
	release_signals();
	control_destroy(&control);
	return volume.error;
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || v > max)
		return log_refusal(-EINVAL, "\"%s\" is no valid number", text);
	*ret = v;
	return 0;
}

static int parse(int argc, char **argv, struct service_options *o)
{
	enum {
		CONTROL_FD = 256,
		HEADER,
		ACTIVE_NAME,
		DEVICE_SIZE,
		THREADS,
		KEY_TIMEOUT,
		KEY_MEMORY_MAX,
		KEY_COST_MAX,
		ALLOW_SHARED_FILES,
		FOREGROUND,
		VERBOSE,
		DEBUG,
		QUIET
	};
	static const struct option longs[] = {
		{"control-fd", required_argument, NULL, CONTROL_FD},
		{"header", required_argument, NULL, HEADER},
		{"active-name", required_argument, NULL, ACTIVE_NAME},
		{"device-size", required_argument, NULL, DEVICE_SIZE},
		{"threads", required_argument, NULL, THREADS},
		{"key-timeout", required_argument, NULL, KEY_TIMEOUT},
		{"key-memory-max", required_argument, NULL, KEY_MEMORY_MAX},
		{"key-cost-max", required_argument, NULL, KEY_COST_MAX},
		{"allow-shared-files", no_argument, NULL, ALLOW_SHARED_FILES},
		{"foreground", no_argument, NULL, FOREGROUND},
		{"verbose", no_argument, NULL, VERBOSE},
		{"debug", no_argument, NULL, DEBUG},
		{"quiet", no_argument, NULL, QUIET},
		{},
	};
	struct work_target *t = &o->work.target;
	uint64_t fd = UINT64_MAX, threads = 0, timeout = o->work.key_timeout, cost = 0;
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case CONTROL_FD:
			r = parse_number(optarg, INT_MAX, &fd);
			break;
		case HEADER:
			t->header = optarg;
			break;
		case ACTIVE_NAME:
			t->active_name = optarg;
			break;
		case DEVICE_SIZE:
			r = parse_number(optarg, UINT64_MAX, &t->device_size);
			break;
		case THREADS:
			r = parse_number(optarg, WORK_THREADS_MAX, &threads);
			break;
		case KEY_TIMEOUT:
			r = parse_number(optarg, UINT_MAX, &timeout);
			break;
		case KEY_MEMORY_MAX:
			r = parse_number(optarg, UINT64_MAX, &o->cost.memory);
			break;
		case KEY_COST_MAX:
			r = parse_number(optarg, UINT32_MAX, &cost);
			break;
		case ALLOW_SHARED_FILES:
			t->allow_shared = true;
			break;
		case FOREGROUND:
			o->foreground = true;
			break;
		case VERBOSE:
			o->verbose = true;
			break;
		case DEBUG:
			o->debug = true;
			break;
		case QUIET:
			o->quiet = true;
			break;
		default:
			return -EINVAL;
		}
	}
	if (r < 0)
		return r;
	t->device = argv[optind];
	if (fd == UINT64_MAX || argc - optind > 1 || (!t->device && !t->active_name))
		return log_refusal(-EINVAL,
				   "recrypt-worker serve is started by recryptd and recryptctl");
	o->work.threads = (uint32_t)threads;
	o->work.key_timeout = (unsigned)timeout;
	o->cost.steps = (uint32_t)cost;
	o->control_fd = (int)fd;
	return 0;
}

static int check_control_fd(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_SEQPACKET)
		return log_refusal(-EINVAL, "--control-fd %d is no socket of packets", fd);
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

static int log_level_of(const struct service_options *o)
{
	if (o->quiet)
		return LOG_CRIT;
	return o->debug ? LOG_DEBUG : o->verbose ? LOG_INFO : LOG_NOTICE;
}

/* To whoever reads the messages of a run in the foreground, the worker is a part of recryptctl. */
static const char *log_name_of(const struct service_options *o)
{
	return o->foreground ? "recryptctl" : "recrypt-worker";
}

static int set_up_process(const struct service_options *o)
{
	int r = process_protect();

	if (r < 0)
		return log_error_errno(r, "cannot set up the process");
	/* One that is to refuse something need not be able to; a conversion sees to it. */
	return o->foreground ? 0 : process_stay_in_memory();
}

int service_main(int argc, char **argv)
{
	struct service_options o = {.work = WORK_OPTIONS_NONE};
	int r;

	log_init("recrypt-worker", LOG_NOTICE);
	r = parse(argc, argv, &o);
	if (r < 0)
		return r;
	r = check_control_fd(o.control_fd);
	if (r < 0)
		return r;
	log_init(log_name_of(&o), log_level_of(&o));
	if (!o.foreground)
		log_captured_only();
	r = set_up_process(&o);
	return r < 0 ? r : serve(&o);
}
