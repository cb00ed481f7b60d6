# SPDX-License-Identifier: GPL-3.0-or-later
"""What each sector of a volume must read as at any point of a recorded run.

The log holds ciphertext. Which key a write is under follows from the header that was on the disk at
that time: what lies in a new segment, or in the one being converted, is under the new key, the rest
under the old. So every write becomes plaintext, and two things can be said:

  * the first write to each sector of the segment being converted is the engine's, and must not change
    the plaintext (with checksums an application may write there once all of it is durable);
  * after a crash a sector reads as it did at the last flush, or as a later write to it made it.
"""
import struct
import subprocess

import luks2


class Model:
    """The run of one recording. Offsets are bytes from the start of the volume (its partition)."""

    def __init__(self, base, groups, keys, plaintext_tool):
        """@base: the volume before; @groups: its writes; @keys: digest -> file of the volume key."""
        self.tool = plaintext_tool
        self.keys = keys
        self.data_offset = luks2.segments(luks2.header(base))[0].begin
        self.changed_by_engine = []
        pieces = self._classify(bytearray(base), groups)
        self.plain = [None] * len(pieces)
        self._decrypt(pieces)
        self.begin = self.plain[0]
        self.writes = {}
        for (index, _, offset, data, engine), plain in zip(pieces[1:], self.plain[1:]):
            self.writes.setdefault(index, []).append((offset, plain, engine))
        del self.plain

    def _classify(self, image, groups):
        """(index, segment, offset in the data, ciphertext, by the engine?) of each piece."""
        header = luks2.header(image)
        current = luks2.segments(header)
        pieces = [(-1, current[0], 0, bytes(image[self.data_offset:]), False)]
        hotzone, converted = None, set()
        for group in groups:
            for w in group:
                image[w.offset:w.offset + len(w.data)] = w.data
                if w.offset < self.data_offset:
                    # A torn or half-written header leaves the other copy, which says the same.
                    current = luks2.segments(luks2.header(image))
                    hot = [(s.begin, s.end) for s in current if s.hot]
                    if hot != hotzone:
                        hotzone, converted = hot, set()
                    continue
                for s in current:
                    begin, end = max(w.offset, s.begin), min(w.offset + len(w.data), s.end)
                    if begin < end:
                        piece = w.data[begin - w.offset:end - w.offset]
                        engine = s.hot and begin not in converted
                        pieces.append((w.index, s, begin - self.data_offset, piece, engine))
                        if engine:
                            converted.update(range(begin, end, 512))
        return pieces

    def _decrypt(self, pieces):
        """One run of the tool for each key."""
        by_key = {}
        for n, (_, segment, offset, data, _) in enumerate(pieces):
            # dm-crypt's writes are whole encryption sectors, and so are the engine's.
            if offset % segment.sector_size or len(data) % segment.sector_size:
                raise ValueError(f'write {pieces[n][0]} is not of whole encryption sectors')
            by_key.setdefault((segment.key, segment.cipher, segment.sector_size), []).append(n)
        for (key, cipher, sector_size), numbers in by_key.items():
            stream = b''.join(struct.pack('=QQ', pieces[n][2] // 512, len(pieces[n][3])) +
                              bytes(pieces[n][3]) for n in numbers)
            out = subprocess.run([self.tool, 'stream', cipher, str(sector_size), self.keys[key]],
                                 input=stream, stdout=subprocess.PIPE, check=True).stdout
            at = 0
            for n in numbers:
                self.plain[n] = out[at:at + len(pieces[n][3])]
                at += len(pieces[n][3])

    def start(self):
        return bytearray(self.begin)

    def by_engine(self, w):
        """Is this write one of the conversion, not of an application?"""
        return w.offset < self.data_offset or any(engine for _, _, engine in self.writes.get(w.index, ()))

    def apply(self, plain, group):
        """Carries @plain over a whole group of writes."""
        for w in group:
            for offset, data, engine in self.writes.get(w.index, ()):
                if engine and plain[offset:offset + len(data)] != data:
                    self.changed_by_engine.append((w.index, offset))
                plain[offset:offset + len(data)] = data

    def wrong_sectors(self, got, plain, group):
        """Offsets of 512-byte sectors of @got that are neither in @plain nor as @group wrote them."""
        if got == plain:
            return []
        allowed = {}
        for w in group:
            for offset, data, _ in self.writes.get(w.index, ()):
                for at in range(0, len(data), 512):
                    allowed.setdefault(offset + at, []).append(data[at:at + 512])
        wrong = []
        for at in range(0, len(plain), 512):
            sector = got[at:at + 512]
            if sector != plain[at:at + 512] and sector not in allowed.get(at, ()):
                wrong.append(at)
        return wrong
