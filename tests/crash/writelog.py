# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a log of a disk's writes as dm-log-writes and QEMU's blklogwrites make it.

    block 0   superblock: magic, version, number of entries, block size
    then      entry: sector, number of sectors, flags, length of a mark; followed by the data

Numbers are little-endian, see drivers/md/dm-log-writes.c. An entry stands there when its operation
has completed (QEMU: a write that completes while a flush runs stands before that flush). The
superblock's count is written at flushes only, so that reading goes on behind it.
"""
import mmap
import struct
from dataclasses import dataclass

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK, METADATA = 1, 2, 4, 8, 16


@dataclass
class Entry:
    index: int
    offset: int     # bytes
    data: bytes
    flags: int


def read(path):
    """All entries of the log, in order."""
    with open(path, 'rb') as f:
        view = memoryview(mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ))
    magic, version, counted, block = struct.unpack_from('<QQQI', view)
    if magic != MAGIC or version != 1:
        raise ValueError(f'{path}: not a write log')
    entries, at = [], block
    while at + block <= len(view):
        sector, sectors, flags, _ = struct.unpack_from('<QQQQ', view, at)
        if (sector, sectors, flags) == (0, 0, 0) and len(entries) >= counted:
            break
        if flags & FUA:
            raise ValueError(f'{path}: entry {len(entries)}: forced unit access is not handled')
        at += block
        length = 0 if flags & DISCARD else sectors * block
        entries.append(Entry(len(entries), sector * block, bytes(view[at:at + length]), flags))
        at += length
    return entries


def groups(entries):
    """The writes between one flush and the next: what a crash there may or may not have kept.

    Discards are left out: what is read from a discarded place is not promised either way.
    """
    result = [[]]
    for e in entries:
        if e.flags & FLUSH:
            result.append([])
        elif not e.flags & (DISCARD | MARK):
            result[-1].append(e)
    return result
