/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Devices as people name them in crypttab(5), fstab(5) and elsewhere: by a path, or by a tag, which
 * stands for a link of udev:
 *
 *     UUID=u  LABEL=l  PARTUUID=u  PARTLABEL=l      /dev/disk/by-uuid/u, by-label/l ...
 */
#pragma once

/*
 * The path that @text is or stands for; the caller's to free. A path may be written as a URI
 * (path-text.h). -EINVAL: it is neither a tag nor an absolute path; -ENOMEM.
 */
int device_name_path(const char *text, char **ret);
