/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client of the system bus that means no good: floods the service with calls, sends it arguments
 * that it cannot want, leaves while its calls are answered, listens to everything and reads
 * nothing, and tells the bus itself nonsense. What is answered does not matter; it ends with 0 when
 * all was sent. Usage: hostile ROUNDS SEED
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"

#define SERVICE    "org.recryptd1"
#define CALLS      40 /* of a client */
#define ENTRIES    2000
#define HUGE_BYTES (1U << 20)
#define BUS_SOCKET "/run/dbus/system_bus_socket"

static const char *const paths[] = {"/", "/org/recryptd1", "/org/recryptd1/volume",
				    "/org/recryptd1/volume/x", "/org/recryptd1/job/0"};
static const char *const interfaces[] = {SERVICE ".Manager", SERVICE ".Volume", SERVICE ".Job",
					 "org.freedesktop.DBus.Properties"};
static const char *const members[] = {"AddVolume", "RotateAll", "SuspendAll", "GetVolume",
				      "Unlock",    "Rotate",    "Cancel",     "Check",
				      "Get",       "Set",       "ListVolumes"};
static char huge[HUGE_BYTES];

static void cleanup_bus(sd_bus **bus)
{
	(void)sd_bus_close_unref(*bus);
}

static void cleanup_message(sd_bus_message **m)
{
	(void)sd_bus_message_unref(*m);
}

static const char *any(const char *const *texts, size_t n)
{
	return texts[(size_t)random() % n];
}

static int many_options(sd_bus_message *m, const char *key)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	for (unsigned i = 0; r >= 0 && i < ENTRIES; i++)
		r = sd_bus_message_append(m, "{sv}", key, "u", i);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Arguments of some kind, rarely of the right one. */
static int append_something(sd_bus_message *m)
{
	switch (random() % 9) {
	case 0:
		return sd_bus_message_append(m, "s", huge);
	case 1:
		return many_options(m, "Cipher");
	case 2:
		return many_options(m, "nothing of the kind");
	case 3:
		return sd_bus_message_append(m, "ha{sv}", STDIN_FILENO, 0);
	case 4:
		return sd_bus_message_append(m, "ta{sv}", (uint64_t)random(), 0);
	case 5:
		return sd_bus_message_append(m, "a{sv}a{sv}", 1, "Group", "s", huge, 0);
	case 6:
		return sd_bus_message_append(m, "sa{sv}", "/dev/../dev/null", 1, "HeaderDevice",
					     "v", "v", "s", "x");
	case 7:
		return sd_bus_message_append(m, "a{sv}sa{sv}", 0, "no reason", 0);
	default:
		return 0;
	}
}

static int send_call(sd_bus *bus)
{
	_cleanup_(cleanup_message) sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SERVICE, any(paths, ARRAY_SIZE(paths)),
					       any(interfaces, ARRAY_SIZE(interfaces)),
					       any(members, ARRAY_SIZE(members)));

	if (r >= 0)
		r = append_something(m);
	if (r >= 0)
		r = sd_bus_send(bus, m, NULL);
	return r < 0 ? r : sd_bus_flush(bus);
}

/* It is gone before the last of its calls is answered. */
static int flood(void)
{
	_cleanup_(cleanup_bus) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	for (unsigned i = 0; r >= 0 && i < CALLS; i++)
		r = send_call(bus);
	return r;
}

static int listen_to_all(sd_bus **ret)
{
	_cleanup_(cleanup_bus) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_add_match(bus, NULL, "type='signal'", NULL, NULL);
	for (unsigned i = 0; r >= 0 && i < CALLS; i++)
		r = sd_bus_call_method_async(bus, NULL, SERVICE, "/org/recryptd1",
					     "org.freedesktop.DBus.ObjectManager",
					     "GetManagedObjects", NULL, NULL, NULL);
	if (r >= 0)
		r = sd_bus_flush(bus);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bus);
	return 0;
}

/* The bus closes such a connection, perhaps before all of it is sent. */
static int nonsense(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = BUS_SOCKET};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[4096] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

	for (size_t i = 32; i < sizeof(text); i++)
		text[i] = (char)random();
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return send(fd, text, sizeof(text), MSG_NOSIGNAL) < 0 && errno != EPIPE ? -errno : 0;
}

int main(int argc, char **argv)
{
	_cleanup_(cleanup_bus) sd_bus *listener = NULL;
	unsigned long rounds, seed;
	int r;

	if (argc != 3)
		return EXIT_FAILURE;
	rounds = strtoul(argv[1], NULL, 10);
	seed = strtoul(argv[2], NULL, 10);
	srandom((unsigned)seed);
	memset(huge, 'x', sizeof(huge) - 1);
	r = listen_to_all(&listener);
	for (unsigned long i = 0; r >= 0 && i < rounds; i++) {
		r = flood();
		if (r >= 0)
			r = nonsense();
	}
	if (r < 0)
		(void)fprintf(stderr, "hostile: %s\n", strerror(-r));
	else
		(void)printf("sent all of %lu rounds\n", rounds);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
