/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/test-service-support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto/cipher.h"
#include "luks/context.h"
#include "util/checked.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/io.h"

#define CONTROL_FD 3
#define PIECE      ((size_t)1 << 20)

char test_dir[] = "/tmp/test-service-XXXXXX";
char test_image[64];

int run(const char *format, ...)
{
	char args[1024], command[1200];
	va_list ap;
	int status;

	va_start(ap, format);
	(void)vsnprintf(args, sizeof(args), format, ap);
	va_end(ap);
	(void)snprintf(command, sizeof(command), "cd %s && { %s; } >/dev/null", test_dir, args);
	status = system(command);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(test_dir))
		return -1;
	(void)snprintf(test_image, sizeof(test_image), "%s/image", test_dir);
	return run("printf a >pass-a; printf b >pass-b; printf c >pass-c");
}

int remove_directory(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf %s", test_dir);
	return system(command);
}

/* What the plaintext has at byte @offset: no two blocks are alike. */
static void fill(uint8_t *data, uint64_t offset)
{
	for (size_t i = 0; i < PIECE; i += sizeof(uint64_t)) {
		const uint64_t v = (offset + i) * UINT64_C(0x9e3779b97f4a7c15) + 1;

		memcpy(data + i, &v, sizeof(v));
	}
}

struct opened {
	struct luks_place place;
	struct crypt_device *cd;
	struct cipher *cipher;
	uint64_t offset;
};

static void open_data(const char *passphrase, struct opened *o)
{
	struct secret *secret, *key;
	char spec[128];

	assert_int_equal(luks_place_find(test_image, NULL, &o->place), 0);
	assert_int_equal(luks_context_open(&o->place, &o->cd), 0);
	assert_int_equal(secret_copy(passphrase, strlen(passphrase), &secret), 0);
	assert_int_equal(luks_keyslot_open(o->cd, CRYPT_ANY_SLOT, secret, &key), 0);
	(void)snprintf(spec, sizeof(spec), "%s-%s", crypt_get_cipher(o->cd),
		       crypt_get_cipher_mode(o->cd));
	assert_int_equal(
		cipher_new(spec, key, (uint32_t)crypt_get_sector_size(o->cd), 1, &o->cipher), 0);
	o->offset = crypt_get_data_offset(o->cd) * SECTOR_SIZE;
	secret_free(secret);
	secret_free(key);
}

static void close_data(struct opened *o)
{
	o->cipher = cipher_free(o->cipher);
	o->cd = luks_context_close(o->cd);
	luks_place_clear(&o->place);
}

static uint64_t data_size(int fd, const struct opened *o)
{
	const off_t end = lseek(fd, 0, SEEK_END);

	assert_true(end > 0);
	return (uint64_t)end - o->offset;
}

void make_volume(unsigned mib, const char *format_options)
{
	_cleanup_free_ uint8_t *data = malloc(PIECE);
	_cleanup_close_ int fd = -1;
	struct opened o;

	assert_non_null(data);
	RUN("rm -f image && truncate -s %uM image && cryptsetup luksFormat -q --type luks2 --pbkdf "
	    "pbkdf2 --pbkdf-force-iterations 1000 --luks2-keyslots-size 2016K --offset 4096 %s "
	    "image pass-a",
	    mib + 2, format_options);
	fd = open(test_image, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	open_data("a", &o);
	assert_int_equal(data_size(fd, &o), (uint64_t)mib << 20);
	for (uint64_t at = 0; at < (uint64_t)mib << 20; at += PIECE) {
		fill(data, at);
		assert_int_equal(cipher_encrypt(o.cipher, 0, at / SECTOR_SIZE, data, PIECE), 0);
		assert_int_equal(pwrite_full(fd, data, PIECE, o.offset + at), 0);
	}
	close_data(&o);
}

void assert_plaintext(const char *passphrase)
{
	_cleanup_free_ uint8_t *data = malloc(PIECE), *want = malloc(PIECE);
	_cleanup_close_ int fd = open(test_image, O_RDONLY | O_CLOEXEC);
	struct opened o;
	uint64_t size;

	assert_non_null(data);
	assert_non_null(want);
	assert_true(fd >= 0);
	open_data(passphrase, &o);
	size = data_size(fd, &o);
	for (uint64_t at = 0; at < size; at += PIECE) {
		const size_t n = (size_t)MIN(PIECE, size - at);

		assert_int_equal(pread_full(fd, data, n, o.offset + at), 0);
		assert_int_equal(cipher_decrypt(o.cipher, 0, at / SECTOR_SIZE, data, n), 0);
		fill(want, at);
		assert_memory_equal(data, want, n);
	}
	close_data(&o);
}

/* The worker of this build. */
static void worker_path(char path[static PATH_MAX])
{
	char self[PATH_MAX - 32];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	(void)snprintf(path, PATH_MAX, "%s/recrypt-worker", self);
}

static void become_worker(const char *path, int fd, const char *option, void (*set_up)(void))
{
	if (set_up)
		set_up();
	if (fd == CONTROL_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, CONTROL_FD) < 0)
		_exit(127);
	(void)execl(path, "recrypt-worker", "serve", "--control-fd=3", option, test_image,
		    (char *)NULL);
	_exit(127);
}

static void start(struct worker *w, const char *option, void (*set_up)(void))
{
	char path[PATH_MAX];
	int pair[2];

	worker_path(path);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0)
		become_worker(path, pair[1], option, set_up);
	(void)close(pair[1]);
	w->control_fd = pair[0];
	w->bus = NULL;
	worker_connect(w);
}

void worker_start(struct worker *w, void (*set_up)(void))
{
	start(w, "--", set_up);
}

void worker_start_in_foreground(struct worker *w)
{
	start(w, "--foreground", NULL);
}

void worker_connect(struct worker *w)
{
	assert_int_equal(service_connect(w->control_fd, &w->bus), 0);
	assert_true(sd_bus_set_method_call_timeout(w->bus, LIMIT) >= 0);
}

void worker_disconnect(struct worker *w)
{
	w->bus = sd_bus_close_unref(w->bus);
}

void worker_wait(struct worker *w)
{
	worker_wait_code(w, 0);
}

void worker_wait_code(struct worker *w, int code)
{
	const uint64_t deadline = now_usec() + LIMIT;
	int status;
	pid_t ended;

	while ((ended = waitpid(w->pid, &status, WNOHANG)) == 0) {
		if (now_usec() > deadline) {
			(void)kill(w->pid, SIGKILL);
			fail_msg("the worker did not end");
		}
		(void)usleep(2000);
	}
	assert_int_equal(ended, w->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	worker_disconnect(w);
	cleanup_close(&w->control_fd);
	w->control_fd = -1;
}

void worker_kill(struct worker *w)
{
	int status;

	assert_int_equal(kill(w->pid, SIGKILL), 0);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	worker_disconnect(w);
	cleanup_close(&w->control_fd);
	w->control_fd = -1;
}

void worker_quit(struct worker *w)
{
	call(w, "Quit", "");
	worker_wait(w);
}

static int send_call(struct worker *w, const char *method, const char *types, va_list ap,
		     sd_bus_error *error, sd_bus_message **ret)
{
	sd_bus_message *m;
	int r = sd_bus_message_new_method_call(w->bus, &m, NULL, SERVICE_PATH, SERVICE_INTERFACE,
					       method);

	assert_true(r >= 0);
	if (*types)
		assert_true(sd_bus_message_appendv(m, types, ap) >= 0);
	r = sd_bus_call(w->bus, m, LIMIT, error, ret);
	sd_bus_message_unref(m);
	return r;
}

void call(struct worker *w, const char *method, const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = send_call(w, method, types, ap, &error, NULL);
	va_end(ap);
	if (r < 0)
		fail_msg("%s: %s: %s", method, error.name, error.message);
	sd_bus_error_free(&error);
}

void call_fails(struct worker *w, const char *name, const char *method, const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	char full[128];
	va_list ap;
	int r;

	va_start(ap, types);
	r = send_call(w, method, types, ap, &error, NULL);
	va_end(ap);
	assert_true(r < 0);
	(void)snprintf(full, sizeof(full), SERVICE_ERROR_PREFIX "%s", name);
	assert_string_equal(error.name, full);
	sd_bus_error_free(&error);
}

int secret_pipe(const char *secret)
{
	int pair[2];

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(write(pair[1], secret, strlen(secret)), strlen(secret));
	(void)close(pair[1]);
	return pair[0];
}

int secret_memfd(const void *secret, size_t size)
{
	const int fd = memfd_create("secret", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite_full(fd, secret, size, 0), 0);
	return fd;
}

sd_bus_message *wait_signal(struct worker *w, const char *name)
{
	const uint64_t deadline = now_usec() + LIMIT;

	for (;;) {
		sd_bus_message *m = NULL;
		int r = sd_bus_process(w->bus, &m);

		assert_true(r >= 0);
		if (m && sd_bus_message_is_signal(m, SERVICE_INTERFACE, name) > 0)
			return m;
		sd_bus_message_unref(m);
		if (now_usec() > deadline)
			fail_msg("no signal %s", name);
		if (r == 0)
			assert_true(sd_bus_wait(w->bus, SECONDS / 10) >= 0);
	}
}

sd_bus_message *wait_done(struct worker *w, const char *job, const char *error)
{
	sd_bus_message *m = wait_signal(w, "Done");
	const char *done, *name, *message;
	int number;

	assert_true(sd_bus_message_read(m, "siss", &done, &number, &name, &message) >= 0);
	if (strcmp(done, job) != 0 || strcmp(name, error) != 0)
		fail_msg("%s ended with \"%s\" (%s), not %s with \"%s\"", done, name, message, job,
			 error);
	assert_int_equal(number < 0, *error != '\0');
	assert_int_equal(*message != '\0', *error != '\0');
	return m;
}

void do_job(struct worker *w, const char *method, const char *job)
{
	call(w, method, "a{sv}", 0);
	sd_bus_message_unref(wait_done(w, job, ""));
}

void unlock(struct worker *w, const char *passphrase)
{
	_cleanup_close_ int fd = secret_pipe(passphrase);

	call(w, "Unlock", "ha{sv}", fd, 0);
	sd_bus_message_unref(wait_done(w, "unlock", ""));
}

/* Goes to the value of @key; false: there is none. */
static bool enter(sd_bus_message *m, const char *key, char *ret_type)
{
	const char *name, *contents;
	char type;

	/* The dictionary is the last argument. */
	assert_true(sd_bus_message_rewind(m, 1) >= 0);
	while (sd_bus_message_peek_type(m, &type, &contents) > 0 && type != 'a')
		assert_true(sd_bus_message_skip(m, NULL) >= 0);
	assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		assert_true(sd_bus_message_read(m, "s", &name) > 0);
		if (strcmp(name, key) == 0) {
			assert_true(sd_bus_message_peek_type(m, &type, &contents) > 0);
			assert_true(sd_bus_message_enter_container(m, 'v', contents) > 0);
			*ret_type = *contents;
			return true;
		}
		assert_true(sd_bus_message_skip(m, "v") >= 0);
		assert_true(sd_bus_message_exit_container(m) >= 0);
	}
	return false;
}

bool has_member(sd_bus_message *m, const char *key)
{
	char type;

	return enter(m, key, &type);
}

uint64_t get_number(sd_bus_message *m, const char *key)
{
	uint64_t t = 0;
	uint32_t u;
	char type = 0;

	if (!enter(m, key, &type))
		return 0;
	if (type == 't') {
		assert_true(sd_bus_message_read_basic(m, 't', &t) > 0);
		return t;
	}
	assert_true(type == 'u' || type == 'b');
	assert_true(sd_bus_message_read_basic(m, type, &u) > 0);
	return u;
}

const char *get_text(sd_bus_message *m, const char *key)
{
	const char *text = NULL;
	char type = 0;

	if (!enter(m, key, &type))
		return "";
	assert_int_equal(type, 's');
	assert_true(sd_bus_message_read_basic(m, 's', &text) > 0);
	return text;
}

void assert_numbers(sd_bus_message *m, const char *key, const char *expected)
{
	const uint32_t *numbers = NULL;
	char text[256] = "", type = 0;
	size_t size = 0;

	if (enter(m, key, &type))
		assert_true(sd_bus_message_read_array(m, 'u', (const void **)&numbers, &size) >= 0);
	for (size_t i = 0; i < size / sizeof(*numbers); i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u",
			       i ? "," : "", numbers[i]);
	assert_string_equal(text, expected);
}

static sd_bus_message *ask(struct worker *w, const char *method)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;

	if (sd_bus_call_method(w->bus, NULL, SERVICE_PATH, SERVICE_INTERFACE, method, &error,
			       &reply, "") < 0)
		fail_msg("%s: %s: %s", method, error.name, error.message);
	return reply;
}

sd_bus_message *inspect(struct worker *w)
{
	return ask(w, "Inspect");
}

sd_bus_message *get_status(struct worker *w)
{
	return ask(w, "GetStatus");
}
