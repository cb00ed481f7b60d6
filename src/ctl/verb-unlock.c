/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * recryptctl unlock: a secret goes to the daemon as a sealed memfd, never as part of a message.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl/interrupt.h"
#include "ctl/verbs.h"
#include "ctl/volume-view.h"
#include "util/error.h"
#include "util/io.h"
#include "util/log.h"
#include "util/secret.h"
#include "cli/passphrase.h"

static int make_memfd(const struct secret *s)
{
	_cleanup_close_ int fd = memfd_create("recryptctl", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = pwrite_full(fd, s->data, s->size, 0);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int call_unlock(struct client *c, const struct options *o, const char *path, int fd,
		       const char *type)
{
	if (o->rotation.keyslot >= 0)
		return client_call(c, path, BUS_VOLUME_INTERFACE, "Unlock", NULL, "ha{sv}", fd, 2,
				   "Type", "s", type, "Keyslot", "i", o->rotation.keyslot);
	return client_call(c, path, BUS_VOLUME_INTERFACE, "Unlock", NULL, "ha{sv}", fd, 1, "Type",
			   "s", type);
}

static int send_secret(struct client *c, const struct options *o, const char *path,
		       const struct secret *s, const char *type)
{
	_cleanup_close_ int fd = make_memfd(s);
	int r;

	if (fd < 0)
		return log_error_errno(fd, "the passphrase cannot be handed on");
	r = call_unlock(c, o, path, fd, type);
	c->unlocked = c->unlocked || r == 0;
	return r;
}

static int unlock_by_volume_key(struct client *c, const struct options *o, const char *path)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	int r;

	assert(o->keys.volume_key_file || o->keys.volume_key_keyring);
	r = volume_key_read(o->keys.volume_key_file, 0, o->keys.volume_key_keyring, &s);
	return r < 0 ? r : send_secret(c, o, path, s, "volume-key");
}

struct passphrase_source passphrases_of(const struct options *o, const char *name)
{
	return (struct passphrase_source){
		.key_file = o->keys.key_file,
		.key_description = o->keys.key_description,
		.keyfile_offset = o->keys.keyfile_offset,
		.keyfile_size = (size_t)o->keys.keyfile_size,
		.device = name,
		.timeout = o->keys.timeout,
	};
}

bool names_key(const struct options *o)
{
	return o->keys.key_file || o->keys.key_description || o->keys.volume_key_file ||
	       o->keys.volume_key_keyring;
}

int unlock_by(struct client *c, const struct options *o, const char *path,
	      const struct secret *passphrase)
{
	return send_secret(c, o, path, passphrase, "passphrase");
}

/* Editors end files with one, and no program but the terminal takes it off. */
static void tell_newline(const struct client *c, const struct options *o, int last_byte)
{
	if (o->keys.key_file && last_byte == '\n' && client_has_refused_key(c))
		log_notice("%s: the newline at its end is part of the passphrase",
			   o->keys.key_file);
}

int unlock_volume(struct client *c, const struct options *o, const char *path,
		  struct passphrase_source *source)
{
	int r = -ERROR_KEY_REJECTED, last_byte = 0;

	assert(o->keys.tries > 0);
	/* It goes through a descriptor, which ssh does not hand on. */
	if (o->daemon.remote) {
		log_error("%s: a passphrase cannot be handed on with -H; try: ssh -t %s "
			  "recryptctl unlock %s",
			  o->daemon.remote, o->daemon.remote, o->target.device);
		return -ENOTSUP;
	}
	if (o->keys.volume_key_file || o->keys.volume_key_keyring)
		return unlock_by_volume_key(c, o, path);
	for (unsigned try = 0; try < o->keys.tries && r == -ERROR_KEY_REJECTED; try++) {
		_cleanup_(secret_freep) struct secret *s = NULL;
		int asked = passphrase_ask(source, o->rotation.keyslot, false, &s);

		if ((asked == -ENODATA || asked == -ENOKEY) && try > 0)
			break;
		if (asked == -ENODATA || asked == -ENOKEY)
			return log_refusal(-ENOKEY, "%s: no passphrase was given", source->device);
		if (asked < 0)
			return asked;
		last_byte = s->size > 0 ? ((const char *)s->data)[s->size - 1] : 0;
		r = unlock_by(c, o, path, s); /* which says so where it opens nothing */
		if (!client_has_refused_key(c) || (passphrase_is_typed(source) && s->size == 0))
			break;
	}
	tell_newline(c, o, last_byte);
	return r;
}

void tell_interrupted(const struct client *c, const char *device)
{
	if (c->interrupted)
		log_error("%s: interrupted; nothing was changed", device);
}

int verb_unlock(const struct options *o)
{
	_cleanup_(client_close) struct client c = {};
	_cleanup_free_ char *path = NULL;
	struct passphrase_source source = passphrases_of(o, o->target.device);
	int r = open_volume(o, &c, &path);

	if (r < 0)
		return r;
	c.stop = interrupt_catch();
	r = unlock_volume(&c, o, path, &source);
	tell_interrupted(&c, o->target.device);
	return r < 0 ? r : tell_keyslots(&c, path, o->target.device);
}
