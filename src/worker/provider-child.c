/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that asks a provider and may be killed for it. */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "luks/context.h"
#include "luks/key-file.h"
#include "luks/key-ring.h"
#include "luks/keyslots.h"
#include "luks/token-plugin.h"
#include "util/error.h"
#include "util/log.h"
#include "worker/child.h"
#include "worker/provider-frame.h"
#include "worker/provider.h"

static int send_frame(const struct provider_frame *frame, const void *data)
{
	int r = child_say(frame, sizeof(*frame));

	return r < 0 ? r : child_say(data, frame->size);
}

static int send_passphrase(const struct secret *s)
{
	const struct provider_frame frame = {
		.kind = PROVIDER_PASSPHRASE,
		.size = (uint32_t)s->size,
	};

	return send_frame(&frame, s->data);
}

static int send_key_file(const char *path, uint64_t offset, uint64_t size)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	int r = luks_key_file_read(path, offset, (size_t)size, &s);

	if (r < 0) {
		const char *why = luks_context_error();

		log_error("%s: no key could be read: %s", path, *why ? why : error_text(r));
		return -ENOKEY;
	}
	return send_passphrase(s);
}

static int ask_credential(const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[4096];

	if (!directory)
		return log_refusal(-ENOKEY, "no credentials were passed to this service "
					    "(LoadCredential=, LoadCredentialEncrypted=)");
	if (strchr(name, '/') || *name == '\0' || *name == '.')
		return log_refusal(-EINVAL, "\"%s\" is no name of a credential", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
		return -ENAMETOOLONG;
	return send_key_file(path, 0, 0);
}

/*
 * The key is readable for who possesses it, which means that a keyring of this process leads to it;
 * the user's keyring is not among them in a service that systemd starts.
 */
static int ask_keyring(const char *description)
{
	_cleanup_(secret_freep) struct secret *s = NULL;
	int r;

	(void)syscall(SYS_keyctl, (unsigned long)KEYCTL_LINK, (long)KEY_SPEC_USER_KEYRING,
		      (long)KEY_SPEC_PROCESS_KEYRING, 0UL, 0UL);
	r = luks_keyring_passphrase(description, &s);
	if (r < 0)
		return log_refusal(
			-ENOKEY,
			"the kernel keyring has no \"user\" key \"%s\" that this service may read",
			description);
	return send_passphrase(s);
}

static int try_token(struct crypt_device *cd, int token)
{
	_cleanup_(secret_freep) struct secret *passphrase = NULL;
	int r = luks_token_passphrase(cd, token, &passphrase);

	if (r == -EINVAL)
		r = luks_token_plugin_passphrase(cd, token, &passphrase);
	return r < 0 ? r : send_passphrase(passphrase);
}

static int ask_token(const char *device, const char *header, int wanted)
{
	_cleanup_(luks_place_clear) struct luks_place place = LUKS_PLACE_NONE;
	_cleanup_(luks_context_closep) struct crypt_device *cd = NULL;
	struct luks_keyslots keyslots;
	uint32_t assigned = 0;
	unsigned given = 0;
	int r = luks_place_adopt(CHILD_DATA_FD, device, CHILD_HEADER_FD, header, &place);

	if (r < 0)
		return r;
	r = luks_context_open(&place, &cd);
	if (r < 0)
		return r;
	r = luks_keyslots_read(cd, &keyslots);
	if (r < 0)
		return r;
	for (size_t i = 0; i < keyslots.n; i++)
		assigned |= keyslots.slots[i].tokens;
	for (int t = 0; t < (int)LUKS_MAX_TOKENS; t++)
		if (assigned & UINT32_C(1) << t && (wanted < 0 || wanted == t))
			given += try_token(cd, t) == 0;
	if (given == 0)
		return log_refusal(-ENOKEY, "%s: no token gives a passphrase%s%s", device,
				   *luks_context_error() ? ": " : "", luks_context_error());
	return 0;
}

static int ask_provider(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "key-file") == 0)
		return send_key_file(argv[2], strtoull(argv[3], NULL, 10),
				     strtoull(argv[4], NULL, 10));
	if (argc == 3 && strcmp(argv[1], "credential") == 0)
		return ask_credential(argv[2]);
	if (argc == 3 && strcmp(argv[1], "keyring") == 0)
		return ask_keyring(argv[2]);
	if (argc == 5 && strcmp(argv[1], "token") == 0)
		return ask_token(argv[2], *argv[3] ? argv[3] : NULL, atoi(argv[4]));
	return log_refusal(-EINVAL,
			   "recrypt-worker " PROVIDER_VERB " is started by recrypt-worker");
}

static int protect_and_ask(int argc, char **argv)
{
	int r = child_protect();

	return r < 0 ? r : ask_provider(argc, argv);
}

static int send_error(int error, const char *message)
{
	const struct provider_frame frame = {
		.kind = PROVIDER_ERROR,
		.error = error,
		.size = (uint32_t)strlen(message),
	};

	return send_frame(&frame, message);
}

int provider_main(int argc, char **argv)
{
	char message[1024];
	int r;

	/* The parent logs what it is sent. */
	log_init("recrypt-worker", LOG_EMERG);
	log_capture(message, sizeof(message));
	r = protect_and_ask(argc, argv);
	log_capture(NULL, 0);
	return r < 0 ? send_error(r, message) : 0;
}
