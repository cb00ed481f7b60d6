/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * stock-recover IMAGE KEYFILE: what "cryptsetup repair" and "cryptsetup reencrypt --resume-only" do
 * with an interrupted reencryption, through the same library. It spares the benchmark of a second
 * that the program runs each time and has no option against.
 *
 * Exit code 0: the volume is no longer in reencryption. 2: the library could not do it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <libcryptsetup.h>

static char last_error[512];

static void keep_error(int level, const char *message, void *data)
{
	(void)data;
	if (level == CRYPT_LOG_ERROR)
		(void)snprintf(last_error, sizeof(last_error), "%s", message);
}

static void free_context(struct crypt_device **cd)
{
	crypt_free(*cd);
}

static int failed(const char *step, int r)
{
	last_error[strcspn(last_error, "\n")] = '\0';
	(void)printf("%s: error %d: %s\n", step, r, last_error);
	return 2;
}

/* A fresh context, as each run of the program has. */
static int load(const char *image, struct crypt_device **ret)
{
	static const struct crypt_pbkdf_type pbkdf = {.type = CRYPT_KDF_PBKDF2,
						      .hash = "sha256",
						      .iterations = 1000,
						      .flags = CRYPT_PBKDF_NO_BENCHMARK};
	int r;

	r = crypt_init(ret, image);
	if (r == 0)
		r = crypt_load(*ret, CRYPT_LUKS2, NULL);
	if (r == 0)
		r = crypt_set_pbkdf_type(*ret, &pbkdf);
	return r;
}

static int unlock(struct crypt_device *cd, const char *key, size_t size, uint32_t flags)
{
	struct crypt_params_luks2 luks2 = {.sector_size = (uint32_t)crypt_get_sector_size(cd)};
	struct crypt_params_reencrypt stored = {0};
	char resilience[32];
	struct crypt_params_reencrypt params = {.hash = "sha256", .luks2 = &luks2, .flags = flags};

	/* The program's defaults, but for what the volume says. */
	(void)crypt_reencrypt_status(cd, &stored);
	params.mode = stored.mode;
	params.direction = stored.direction;
	/* What status returned goes when the context loads the header again. */
	(void)snprintf(resilience, sizeof(resilience), "%s", stored.resilience);
	params.resilience = resilience;
	return crypt_reencrypt_init_by_passphrase(cd, NULL, key, size, CRYPT_ANY_SLOT,
						  CRYPT_ANY_SLOT, NULL, NULL, &params);
}

static int repair(const char *image, const char *key, size_t size)
{
	__attribute__((cleanup(free_context))) struct crypt_device *cd = NULL;
	int r;

	r = load(image, &cd);
	if (r < 0)
		return failed("load", r);
	if (crypt_reencrypt_status(cd, NULL) != CRYPT_REENCRYPT_CRASH)
		return 0;
	r = unlock(cd, key, size, CRYPT_REENCRYPT_RECOVERY);
	if (r < 0)
		return failed("repair", r);
	(void)printf("repaired ");
	return 0;
}

static int resume(const char *image, const char *key, size_t size)
{
	__attribute__((cleanup(free_context))) struct crypt_device *cd = NULL;
	int r;

	r = load(image, &cd);
	if (r < 0)
		return failed("load", r);
	if (crypt_reencrypt_status(cd, NULL) == CRYPT_REENCRYPT_NONE) {
		(void)printf("nothing to resume\n");
		return 0;
	}
	r = unlock(cd, key, size, CRYPT_REENCRYPT_RESUME_ONLY);
	if (r < 0)
		return failed("resume", r);
	r = crypt_reencrypt_run(cd, NULL, NULL);
	if (r < 0)
		return failed("run", r);
	(void)printf("resumed\n");
	return 0;
}

int main(int argc, char **argv)
{
	char key[512];
	size_t size;
	FILE *f;
	int r;

	if (argc != 3 || !(f = fopen(argv[2], "re"))) {
		(void)fputs("usage: stock-recover IMAGE KEYFILE\n", stderr);
		return 1;
	}
	size = fread(key, 1, sizeof(key), f);
	(void)fclose(f);
	crypt_set_log_callback(NULL, keep_error, NULL);
	r = repair(argv[1], key, size);
	return r ? r : resume(argv[1], key, size);
}
