/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a conversion needs, in the order in which it is made, and the order in which it goes. */
#include "worker/conversion-internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>

#include "crypto/cipher-spec.h"
#include "io/disk-uring.h"
#include "model/rotation.h"
#include "pace/stall.h"
#include "util/checked.h"
#include "util/clock.h"
#include "util/log.h"
#include "worker/no-resilience.h"
#include "worker/process.h"
#include "worker/volume-use.h"

enum { OLD, NEW };

/* Between two looks for somebody who uses a closed volume. */
#define CHECK_CLAIM_USEC UINT64_C(500000)
/*
 * So much nicer than the threads that hand out requests and commit: with conversions on all CPUs
 * these waited for up to 4 ms on each way. Five is the least that helps where the
 * kernel lets a thread use up its slice.
 */
#define CRYPTO_NICENESS 5

/* Offline only, as it opens files: online the kernel keeps the device for its mapping. */
static bool somebody_came(struct conversion *c)
{
	const uint64_t now = now_usec();

	if (!c->volume->name && !c->in_use && now - c->claim_checked >= CHECK_CLAIM_USEC) {
		c->claim_checked = now;
		c->in_use = volume_check_claim(c->volume) < 0;
	}
	return c->in_use;
}

static bool stop_wanted(void *arg)
{
	struct conversion *c = arg;

	return c->watch->stop(c->watch->arg) || somebody_came(c);
}

static void on_progress(void *arg, const struct engine_progress *p)
{
	struct conversion *c = arg;

	c->progress = *p;
	if (c->watch->progress)
		c->watch->progress(c->watch->arg, p);
}

static bool pause_due(void *arg, uint64_t converted)
{
	const struct conversion *c = arg;

	return c->watch->pause_due(c->watch->arg, converted);
}

static int make_pause(void *arg, uint64_t converted, struct engine_limits *limits)
{
	struct conversion *c = arg;

	return c->watch->pause(c->watch->arg, &c->store, converted, limits);
}

static void wake_disk(void *arg)
{
	struct disk *d = arg;

	d->ops->wake(d);
}

static unsigned available_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)MAX(CPU_COUNT(&set), 1);
}

static int make_side(struct conversion *c, int which, const struct luks_side *side,
		     const struct secret *key)
{
	int r;

	assert(!c->cipher[which] && !c->kernel_cipher[which]);
	r = cipher_new(side->cipher, key, side->sector_size, pool_lanes(c->pool),
		       &c->cipher[which]);
	if (r == -EOPNOTSUPP) {
		const struct stack_side s = conversion_stack_side(side, key);

		return kernel_cipher_new(c->volume, side->offset, c->volume->reenc.data_size, &s,
					 &c->kernel_cipher[which]);
	}
	if (r < 0)
		return log_error_errno(r, "%s: cannot set up cipher %s with a key of %zu bits",
				       c->volume->data_path, side->cipher, key->size * 8);
	r = cipher_use_fastest(c->cipher[which]);
	if (r < 0)
		return log_error_errno(r, "cannot compare the libraries for ciphers");
	log_debug("%s by %s", side->cipher, cipher_library_name(c->cipher[which]));
	return 0;
}

static int make_pools(struct conversion *c)
{
	const unsigned threads = c->volume->options->threads ?: available_cpus();
	int r = pool_new("crypto", threads, CRYPTO_NICENESS, wake_disk, c->disk, &c->pool);

	/* One thread is no more than that. */
	if (r < 0 || threads == 1)
		return r;
	return pool_new("header", 1, 0, wake_disk, c->disk, &c->header_lane);
}

static int make_checksum(struct conversion *c)
{
	const struct luks_reenc *reenc = &c->volume->reenc;
	int r;

	if (reenc->resilience != LUKS_RESILIENCE_CHECKSUM)
		return 0;
	r = checksum_new(reenc->hash, pool_lanes(c->pool), &c->checksum);
	if (r < 0)
		return log_error_errno(r, "%s: OpenSSL here has no hash \"%s\" for the checksums",
				       c->volume->data_path, reenc->hash);
	r = checksum_use_fastest(c->checksum, reenc->block_size);
	if (r < 0)
		return log_error_errno(r, "cannot compare the libraries for checksums");
	log_debug("checksums by %s", checksum_library_name(c->checksum));
	return 0;
}

static int make_crypto(struct conversion *c)
{
	const struct luks_reenc *reenc = &c->volume->reenc;
	int r = make_pools(c);

	if (r < 0)
		return log_error_errno(r, "cannot start threads");
	r = make_checksum(c);
	if (r < 0)
		return r;
	r = make_side(c, OLD, &reenc->old_side, c->keys->old_key);
	if (r < 0)
		return r;
	return make_side(c, NEW, &reenc->new_side, c->keys->new_key);
}

static struct engine_side engine_side(const struct conversion *c, int which)
{
	const struct kernel_cipher *k = c->kernel_cipher[which];

	return (struct engine_side){
		.cipher = c->cipher[which],
		.plaintext = k ? kernel_cipher_disk(k) : NULL,
	};
}

uint64_t conversion_hotzone_size(const struct work_volume *v)
{
	const uint64_t share = v->reenc.data_size / HOTZONE_SPARSE_SHARE;

	if (v->options->foreground.hotzone_size > 0)
		return MIN(v->options->foreground.hotzone_size, ENGINE_HOTZONE_MAX);
	if (v->name)
		return HOTZONE_ONLINE;
	if (!v->options->run.skip_unwritten)
		return HOTZONE_OFFLINE;
	if (share < HOTZONE_SPARSE)
		return HOTZONE_SPARSE;
	return MIN(share, HOTZONE_OFFLINE);
}

/* Where the next one is not read meanwhile: nobody waits, and fewer hotzones are faster. */
static uint64_t alone_size(const struct work_volume *v)
{
	return v->options->foreground.hotzone_size ?: 2 * conversion_hotzone_size(v);
}

/*
 * Zeros on the disk must be no data: nor are they, where both sides are encrypted so. What
 * @direction says of old and new makes no difference, as a cancel swaps them.
 */
int conversion_check_skip(const struct work_volume *v, const char *old_cipher,
			  const char *new_cipher)
{
	const char *bad = !cipher_tells_unwritten(old_cipher)   ? old_cipher
			  : !cipher_tells_unwritten(new_cipher) ? new_cipher
								: NULL;

	if (!v->options->run.skip_unwritten || !bad)
		return 0;
	return log_refusal(-ENOTSUP,
			   "%s: unwritten blocks cannot be told from data with cipher %s; continue "
			   "without --skip-unwritten (SkipUnwritten=)",
			   v->data_path, bad);
}

/* Each is a member of the engine's configuration, too. */
#define SWITCH_OF_ENGINE(field, ...) config.field = v->options->run.field;

static int make_engine(struct conversion *c)
{
	const struct work_volume *v = c->volume;
	const struct luks_reenc *reenc = &v->reenc;
	struct engine_config config = {
		.disk = c->disk,
		.disk_offset = reenc->data_offset,
		.size = reenc->data_size,
		.direction = reenc->direction == LUKS_FORWARD ? ENGINE_FORWARD : ENGINE_BACKWARD,
		.resilience = reenc->resilience == LUKS_RESILIENCE_JOURNAL ? ENGINE_JOURNAL
									   : ENGINE_CHECKSUM,
		.old_side = engine_side(c, OLD),
		.new_side = engine_side(c, NEW),
		.checksum = c->checksum,
		.block_size = reenc->block_size,
		.position_unit = volume_position_unit(v),
		.hotzone_size = conversion_hotzone_size(v),
		.alone_size = alone_size(v),
		.limits = {.stall_target = STALL_DEFAULT_TARGET},
		.header = &c->store.store,
		.freezer = v->name ? &c->freezer.freezer : NULL,
		.pool = c->pool,
		.header_lane = c->header_lane,
		.stop = stop_wanted,
		.pause_due = c->watch->pause_due ? pause_due : NULL,
		.pause = c->watch->pause ? make_pause : NULL,
		.progress = on_progress,
		.callback_arg = c,
	};
	int r;

	RUN_SWITCHES(SWITCH_OF_ENGINE)
	c->skips = config.skip_unwritten;
	r = engine_new(&config, &c->engine);
	if (r == -ENOSPC)
		return log_error_errno(
			r,
			"%s: the keyslots area has no room for the resilience data of "
			"even one block; a larger one needs a new header",
			v->header_path);
	if (r == -EINVAL)
		return log_error_errno(
			r,
			"%s: %" PRIu64 " bytes of data from offset %" PRIu64 " are no "
			"multiple of %u; use --device-size to leave the rest out",
			v->data_path, reenc->data_size, reenc->data_offset, reenc->block_size);
	if (r < 0)
		return log_error_errno(r, "%s: cannot allocate and lock memory for the hotzone",
				       v->data_path);
	return 0;
}

static int make_disk(const struct work_volume *v, struct disk **ret)
{
	int r = disk_uring_new(v->data.fd, v->data_path, ret);

	if (r == -EOPNOTSUPP)
		return log_error_errno(r,
				       "%s: this kernel has no usable io_uring, or forbids it "
				       "(sysctl kernel.io_uring_disabled)",
				       v->data_path);
	return r < 0 ? log_error_errno(r, "%s: cannot set up I/O", v->data_path) : 0;
}

int conversion_check(const struct work_volume *v)
{
	struct disk *disk = NULL;
	int r = process_stay_in_memory();

	if (r < 0)
		return r;
	r = make_disk(v, &disk);
	if (r < 0)
		return r;
	disk_free(disk);
	return v->name ? conversion_check_stack(v) : 0;
}

/* All but the device stack. */
static int set_up_engine(struct conversion *c)
{
	struct work_volume *v = c->volume;
	int r = no_resilience_refuse(v);

	if (r < 0)
		return r;
	r = process_stay_in_memory();
	if (r < 0)
		return r;
	r = make_disk(v, &c->disk);
	if (r < 0)
		return r;
	luks_store_init(&c->store, v->meta, v->header, &v->reenc, v->meta_fd, v->header_on_data);
	r = conversion_check_skip(v, v->reenc.old_side.cipher, v->reenc.new_side.cipher);
	if (r < 0)
		return r;
	r = make_crypto(c);
	if (r < 0)
		return r;
	r = make_engine(c);
	return r < 0 ? r : process_reserve_memory();
}

int conversion_set_up(struct conversion *c)
{
	/* The stack comes last: a dead worker may have left a frozen range in it, to be released.
	 */
	int r = set_up_engine(c);

	if (r < 0 || !c->volume->name)
		return r;
	r = conversion_try_stack(c->volume, c->keys);
	return r < 0 ? r : conversion_stack(c);
}

static bool never_stop(void *arg)
{
	(void)arg;
	return false;
}

int conversion_rehearse(struct work_volume *v, const struct conversion_keys *keys)
{
	static const struct conversion_watch nobody = {.stop = never_stop};
	struct conversion c = {.volume = v, .keys = keys, .watch = &nobody};
	int r = set_up_engine(&c);

	conversion_tear_down(&c);
	return r;
}

/* Jobs use the ciphers and the engine's memory, the pool wakes the disk, and the kernel uses the
 * engine's memory until the disk is free. */
void conversion_tear_down(struct conversion *c)
{
	c->pool = pool_free(c->pool);
	c->header_lane = pool_free(c->header_lane);
	c->disk = disk_free(c->disk);
	c->engine = engine_free(c->engine);
	c->stack = stack_free(c->stack);
	for (int i = 0; i < 2; i++) {
		c->cipher[i] = cipher_free(c->cipher[i]);
		c->kernel_cipher[i] = kernel_cipher_free(c->kernel_cipher[i]);
	}
	c->checksum = checksum_free(c->checksum);
}
