/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does what the header says of the data fit the device, the blocks that it takes I/O in, and the
 * open mapping? What lies outside would stay under the old key, and be lost.
 */
#include "worker/volume.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "util/checked.h"
#include "util/log.h"

/* Bytes, of an image file's sectors for cryptsetup: the block size of the file system. */
#define STOCK_FILE_BLOCK UINT32_C(4096)

static int load_layout(struct work_volume *v, uint64_t fixed_size, struct luks_reason *why)
{
	return luks_reenc_load(v->header, v->data.geometry.size, fixed_size,
			       v->data.geometry.block_size, &v->reenc, why);
}

int volume_refuse_grown(const struct work_volume *v)
{
	const uint64_t data =
		v->grown ? v->data.geometry.size - v->reenc.data_offset : v->reenc.data_size;

	assert(v->name);
	return log_refusal(-EINVAL,
			   "%s: the open mapping has %" PRIu64 " bytes, and %s has %" PRIu64
			   " bytes of data (has it grown since it was opened?); the bytes behind "
			   "the mapping would be lost; close the volume and open it again, or "
			   "cancel the re-encryption with: recryptctl cancel %s",
			   v->name, v->active_size, v->data_path, data, v->arguments);
}

/*
 * The mapping shows only a part of the data, or another than was asked for. What lies outside would
 * stay under the old key, and be lost when the header only knows the new one.
 */
static int refuse_other_size(const struct work_volume *v)
{
	const uint64_t open = v->active_size, data = v->reenc.data_size;

	if (v->options->target.device_size)
		return log_refusal(
			-EINVAL,
			"%s: the open mapping has %" PRIu64 " bytes, and --device-size is "
			"%" PRIu64 "; the bytes behind it would be lost; give --device-size "
			"%" PRIu64 ", or close the volume",
			v->name, open, data, open);
	if (open > data)
		return log_refusal(-EINVAL,
				   "%s: the open mapping has %" PRIu64 " bytes, but %s has only "
				   "%" PRIu64
				   " bytes of data (has it become smaller?); give the device "
				   "its size back, or close the volume",
				   v->name, open, v->data_path, data);
	if (v->reenc.state != LUKS_REENC_NONE)
		return volume_refuse_grown(v);
	return log_refusal(-EINVAL,
			   "%s: the open mapping has %" PRIu64 " bytes, and %s has %" PRIu64
			   " bytes of data; the bytes behind the mapping would be lost. To open "
			   "them, run cryptsetup resize %s. If they hold no data, run recryptctl "
			   "reencrypt --device-size %" PRIu64,
			   v->name, open, v->data_path, data, v->name, open);
}

uint32_t volume_position_unit(const struct work_volume *v)
{
	const struct geometry *g = &v->data.geometry;

	return g->is_block ? g->block_size : MAX(g->block_size, STOCK_FILE_BLOCK);
}

/* An earlier run, or cryptsetup, saw the same data on a disk with smaller blocks. */
static int check_position_blocks(const struct work_volume *v)
{
	const uint32_t block = v->data.geometry.block_size;
	const struct luks_reenc *r = &v->reenc;

	if ((r->state != LUKS_REENC_CLEAN && r->state != LUKS_REENC_HOT) || r->shift_size > 0 ||
	    is_aligned(r->boundary | r->hot_size, block))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: the re-encryption stands at byte %" PRIu64
			   " of the data, with a hotzone of %" PRIu64
			   " bytes; direct I/O here needs multiples of %" PRIu32
			   ". Continue with cryptsetup, or %s%s",
			   v->data_path, r->boundary, r->hot_size, block,
			   v->data.geometry.is_block
				   ? "copy the volume to a disk with smaller sectors"
				   : "name a loop device instead, which is made with: losetup -f "
				     "--show ",
			   v->data.geometry.is_block ? "" : v->data_path);
}

/*
 * Direct I/O is in whole blocks of the device or file system, and the data may have another size: a
 * copy of a disk with smaller blocks. What is left over would stay under the old key, and be lost.
 */
static int check_blocks(const struct work_volume *v)
{
	const uint32_t block = v->data.geometry.block_size;

	if (is_aligned(v->reenc.data_offset | v->reenc.data_size, block))
		return check_position_blocks(v);
	if (v->data.geometry.is_block)
		return log_refusal(-EINVAL,
				   "%s: the device has sectors of %" PRIu32 " bytes, and the size "
				   "of the data (%" PRIu64 ") or its offset (%" PRIu64 ") is no "
				   "multiple of that; copy the volume to a disk with smaller "
				   "sectors",
				   v->data_path, block, v->reenc.data_size, v->reenc.data_offset);
	return log_refusal(
		-EINVAL,
		"%s: the file system takes direct I/O in blocks of %" PRIu32 " bytes, and the size "
		"of the data (%" PRIu64 ") or its offset (%" PRIu64 ") is no multiple of that; "
		"attach the image with losetup -f --show %s and name the loop device",
		v->data_path, block, v->reenc.data_size, v->reenc.data_offset, v->data_path);
}

static int explain_load_error(const struct work_volume *v, int error, const struct luks_reason *why)
{
	switch (error) {
	case -EOPNOTSUPP:
		log_error("%s: cannot be re-encrypted: %s", v->header_path, why->text);
		return -ENOTSUP;
	case -EBADMSG:
		log_error("%s: damaged or tampered metadata: %s; of header backups restore only "
			  "one that was made since the re-encryption stopped: an older one loses "
			  "what was converted after it",
			  v->header_path, why->text);
		return -EINVAL;
	case -EFBIG:
		log_error("%s: %s", v->data_path, why->text);
		return -ENOTBLK;
	default:
		return *why->text ? log_refusal(error, "%s: %s", v->data_path, why->text)
				  : log_error_errno(error, "%s: cannot understand the LUKS2 header",
						    v->data_path);
	}
}

int volume_understand(struct work_volume *v)
{
	struct luks_reason why = {};
	int r = load_layout(v, v->options->target.device_size, &why);

	v->grown = false;
	if (r < 0)
		return explain_load_error(v, r, &why);
	if (v->name && v->active_size != v->reenc.data_size) {
		v->grown = luks_reenc_limit(&v->reenc, v->active_size) == 0;
		if (!v->grown)
			return refuse_other_size(v);
	}
	return check_blocks(v);
}
