/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/passphrase.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "luks/context.h"
#include "luks/key-file.h"
#include "luks/key-ring.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/text.h"
#include "cli/terminal.h"

/* Somebody may wait for ever for a pipe: until it has brought a key, signals end the process. */
static const int deadly[] = {SIGINT, SIGTERM, SIGHUP};

static void let_signals_kill(struct sigaction before[static ARRAY_SIZE(deadly)])
{
	const struct sigaction kill = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		(void)sigaction(deadly[i], &kill, &before[i]);
}

static void restore_signals(const struct sigaction before[static ARRAY_SIZE(deadly)])
{
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		(void)sigaction(deadly[i], &before[i], NULL);
}

/* libcryptsetup does not say why a file cannot be opened. */
static int explain_key_file(const char *path, bool standard_input, int error)
{
	const char *why = !standard_input && access(path, R_OK) < 0 ? strerrordesc_np(errno)
								    : luks_context_error();

	log_error("%s: no key could be read: %s", standard_input ? "standard input" : path,
		  *why ? why : error_text(error));
	return error;
}

int key_file_read(const char *path, uint64_t offset, size_t size, struct secret **ret)
{
	bool standard_input = strcmp(path, "-") == 0;
	struct sigaction before[ARRAY_SIZE(deadly)];
	int r;

	let_signals_kill(before);
	r = luks_key_file_read(standard_input ? NULL : path, offset, size, ret);
	restore_signals(before);
	return r < 0 ? explain_key_file(path, standard_input, r) : 0;
}

static int volume_key_file_read(const char *path, size_t size, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *key = NULL;
	int r = key_file_read(path, 0, size, &key);

	if (r < 0)
		return r;
	if (key->size == 0)
		return log_refusal(-EINVAL, "%s: is empty, but a volume key is expected", path);
	*ret = TAKE_PTR(key);
	return 0;
}

static int keyring_error(const char *name, int r)
{
	switch (r) {
	case -ENOKEY:
		log_error("key \"%s\": is in no kernel keyring of this session; \"keyctl show\" "
			  "lists what is",
			  name);
		return -EINVAL;
	case -EINVAL:
		log_error("\"%s\" is no key of a kernel keyring: give %%TYPE:NAME, the NAME of a "
			  "user key, or a number, as for keyctl",
			  name);
		return r;
	case -EACCES:
		log_error("key \"%s\": cannot be read; a key of type logon never can, one of type "
			  "user can be if its permissions allow it",
			  name);
		return -EINVAL;
	default:
		return log_error_errno(r, "key \"%s\": cannot be read", name);
	}
}

int volume_key_read(const char *file, size_t size, const char *keyring, struct secret **ret)
{
	int r;

	if (file)
		return volume_key_file_read(file, size, ret);
	if (!keyring)
		return 0;
	r = luks_keyring_key(keyring, ret);
	return r < 0 ? keyring_error(keyring, r) : 0;
}

bool passphrase_is_typed(const struct passphrase_source *s)
{
	return !s->key_file && !s->key_description && isatty(STDIN_FILENO);
}

static int read_keyring(struct passphrase_source *s, struct secret **ret)
{
	int r;

	if (s->exhausted)
		return -ENODATA;
	s->exhausted = true;
	r = luks_keyring_passphrase(s->key_description, ret);
	return r < 0 ? keyring_error(s->key_description, r) : 0;
}

static int read_file(struct passphrase_source *s, struct secret **ret)
{
	int r;

	if (s->exhausted)
		return -ENODATA;
	s->exhausted = true;
	r = key_file_read(s->key_file, s->keyfile_offset, s->keyfile_size, ret);
	return r == -ENODATA ? -EINVAL : r;
}

static int read_line(struct secret **ret)
{
	struct sigaction before[ARRAY_SIZE(deadly)];
	int r;

	let_signals_kill(before);
	r = luks_key_line_read(ret);
	restore_signals(before);
	if (r < 0 && r != -ENODATA)
		log_error_errno(r, "no passphrase could be read from standard input");
	return r;
}

static int next_line(struct passphrase_source *s, struct secret **ret)
{
	if (!s->first)
		return read_line(ret);
	*ret = TAKE_PTR(s->first);
	return 0;
}

bool passphrase_is_given(struct passphrase_source *s)
{
	return s->key_file || s->key_description || passphrase_is_typed(s) || s->first ||
	       read_line(&s->first) == 0;
}

static int read_terminal(const struct passphrase_source *s, const char *prompt, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *typed = NULL;
	int r;

	r = terminal_read(prompt, s->timeout, &typed);
	if (r == -EINTR)
		return log_refusal(r, "%s: interrupted; nothing was changed", s->device);
	if (r == -ETIME)
		return log_refusal(r, "%s: no passphrase within %u s; nothing was changed",
				   s->device, s->timeout);
	if (r < 0)
		return log_error_errno(r, "no passphrase could be read from the terminal");
	*ret = TAKE_PTR(typed);
	return 0;
}

/* Typed twice, since nothing else tells a slip of the finger. */
static int read_new(const struct passphrase_source *s, struct secret **ret)
{
	_cleanup_(secret_freep) struct secret *first = NULL, *second = NULL;
	int r;

	r = read_terminal(s, "Enter new passphrase: ", &first);
	if (r < 0)
		return r;
	r = read_terminal(s, "Verify passphrase: ", &second);
	if (r < 0)
		return r;
	if (first->size != second->size || memcmp(first->data, second->data, first->size) != 0) {
		log_error("the passphrases do not match");
		return -ERROR_KEY_REJECTED;
	}
	*ret = TAKE_PTR(first);
	return 0;
}

int passphrase_ask(void *arg, int keyslot, bool again, struct secret **ret)
{
	struct passphrase_source *s = arg;
	char prompt[256], note[LUKS_BINDING_NOTE];

	assert(!s->key_file || !s->key_description);
	if (s->key_file)
		return read_file(s, ret);
	if (s->key_description)
		return read_keyring(s, ret);
	if (!passphrase_is_typed(s))
		return next_line(s, ret);
	if (again)
		log_notice("%s: no keyslot opens with this passphrase", s->device);
	if (keyslot == LUKS_NEW_PASSPHRASE)
		return read_new(s, ret);
	if (keyslot >= 0)
		(void)snprintf(
			prompt, sizeof(prompt), "Enter passphrase for keyslot %d%s: ", keyslot,
			luks_binding_note(s->bindings ? s->bindings->of[keyslot] : "", note));
	else
		(void)text_format(prompt, sizeof(prompt), "Enter passphrase for %s: ", s->device);
	text_mask(prompt);
	return read_terminal(s, prompt, ret);
}
