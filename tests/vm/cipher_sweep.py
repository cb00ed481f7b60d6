# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of test-cipher-sweep that runs in the guest."""
import argparse
import itertools
import json
import mmap
import os
import random
import re
import subprocess
import sys

MIB = 1 << 20
PBKDF = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]
KEY, VOLUME, NODE = "/tmp/key", "vol", "/dev/mapper/vol"
CONVERTED, NOT_HERE = "converted", "no such volume"
HOWS = ("offline", "online")
PLAIN = ("aes-xts-plain64", 512, 512)

BLOCK_CIPHERS = ("aes", "serpent", "twofish", "camellia", "cast6")
IVS = ("plain64", "plain", "plain64be", "essiv:sha256", "eboiv", "benbi", "null", "random")
# Mode: IVs, and bits of keys.
MODES = {
    "xts": (IVS, (512, 256, 384)),
    "cbc": (IVS, (256, 128, 192)),
    "ctr": (("plain64", "plain"), (256, 128, 192)),
    "lrw": (("benbi", "plain64"), (384, 256, 320)),
    "ecb": ((None,), (256, 128, 192)),
}
SECTORS = (512, 4096, 1024, 2048)
OTHERS = (
    ("xchacha12,aes-adiantum-plain64", 256), ("xchacha20,aes-adiantum-plain64", 256),
    ("cipher_null-ecb", 256), ("cipher_null-cbc-plain64", 256),
    ("capi:xts(aes)-plain64", 512), ("capi:adiantum(xchacha12,aes)-plain64", 256),
    ("capi:essiv(cbc(serpent),sha256)-plain64", 256),
    ("aes-cbc-essiv:sha512", 256), ("aes-cbc-essiv:sha1", 256), ("aes-cbc-lmk", 128),
    ("aes:2-cbc-lmk", 256), ("aes-cbc-tcw", 512), ("des3_ede-cbc-plain64", 192),
    ("aes-xts-eboiv", 512),
)
# As the old cipher, in the names of the kernel's crypto API, which luksFormat takes as they are.
CAPI = (
    ("capi:xts(aes)-plain64", 512), ("capi:cbc(aes)-essiv:sha256", 256),
    ("capi:adiantum(xchacha12,aes)-plain64", 256), ("capi:essiv(cbc(aes),sha256)-plain64", 256),
    ("capi:ctr(aes)-plain64", 256), ("capi:lrw(aes)-benbi", 384), ("capi:xts(serpent)-eboiv", 256),
    ("capi:xts(serpent)-eboiv", 512), ("capi:ecb(aes)-null", 256),
    ("capi:ecb(cipher_null)-null", 256), ("capi:essiv(cbc(aes),sha256)-null", 256),
    # Neither cryptsetup nor the kernel here takes these.
    ("capi:xts(ecb(aes))-plain64", 512), ("capi:xts(aes-generic)-plain64", 512),
    ("capi:adiantum(xchacha12,aes,nhpoly1305)-plain64", 256),
    ("capi:essiv(cbc(aes),sha256)-plain", 256), ("capi:cbc(aes)-random", 256),
    ("capi:authenc(hmac(sha256),cbc(aes))-plain64", 512),
)
# What is asked for. What is on an open volume need not bear larger sectors.
SERVED = [spec for spec, _ in CAPI[:3]]
CHANGES = (("new key", "offline"), ("new key", "online"), ("cipher", "offline"),
           ("sectors", "online"))
SECTORS_OF = {"offline": (512, 4096), "online": (4096, 512)}
HASHES = ("sha1", "sha224", "sha256", "sha384", "sha512", "sha3-224", "sha3-256", "sha3-384",
          "sha3-512", "ripemd160", "whirlpool", "blake2b-512", "blake2s-256", "sm3", "md5",
          "sha512-256", "streebog256", "tiger")


class Wrong(Exception):
    """What must never be: lost data, a changed header, or a table that does not tell it."""


def formats():
    """Each IV, with the sizes of keys and sectors in turn, and each size with one IV of aes."""
    turn = itertools.count()
    for cipher, (mode, (ivs, sizes)) in itertools.product(BLOCK_CIPHERS, MODES.items()):
        for iv in ivs:
            n = next(turn)
            spec = "-".join(filter(None, (cipher, mode, iv)))
            yield (spec, sizes[n % len(sizes)], SECTORS[n % len(SECTORS)])
            if cipher == "aes" and iv == ivs[0]:
                yield from itertools.product((spec,), sizes, SECTORS[:2])
    for spec, bits in OTHERS:
        yield (spec, bits, SECTORS[next(turn) % 2])


def usual(spec):
    """As recryptctl and cryptsetup write it into the header."""
    spec = re.sub(r"^capi:essiv\((\w+)\((\w+)\),(\w+)\)-plain64$", r"\2-\1-essiv:\3", spec)
    spec = re.sub(r"^capi:ecb\((\w+)\)-.*", r"\1-ecb", spec)
    return re.sub(r"^capi:(\w+)\(([\w,]+)\)-", r"\2-\1-", spec)


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def must(*command):
    result = run(*command)
    if result.returncode:
        raise Wrong(f"{' '.join(command)}: {result.stderr}")
    return result.stdout


def read_direct(path, size):
    """What is on the disk, not in the page cache."""
    buffer = mmap.mmap(-1, size)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        if os.preadv(fd, [buffer], 0) != size:
            raise Wrong(f"{path} is too short")
        return buffer.read()
    finally:
        os.close(fd)
        buffer.close()


class Volume:
    def __init__(self, disk, recryptctl, rng):
        self.disk, self.recryptctl, self.rng = disk, recryptctl, rng
        self.plain, self.is_open = rng.randbytes(3 * MIB), False
        with open("/tmp/plain", "wb") as f:
            f.write(self.plain)
        with open(KEY, "wb") as f:
            f.write(b"passphrase")

    def open(self, wanted=True):
        if wanted and not self.is_open:
            must("cryptsetup", "open", "--key-file", KEY, self.disk, VOLUME)
        if not wanted and self.is_open:
            must("cryptsetup", "close", VOLUME)
        self.is_open = wanted

    def make(self, spec, bits, sector, *options):
        """False: cryptsetup does not take it, or not this kernel."""
        self.open(False)
        result = run("cryptsetup", "luksFormat", "-q", "--type", "luks2", *PBKDF,
                     "--luks2-metadata-size", "16k", "--luks2-keyslots-size", "768k",
                     "--cipher", spec, "--key-size", str(bits), "--sector-size", str(sector),
                     *options, self.disk, KEY)
        if result.returncode or run("cryptsetup", "open", "--key-file", KEY, self.disk,
                                    VOLUME).returncode:
            return False
        self.is_open = True
        must("dd", "if=/tmp/plain", f"of={NODE}", "bs=1M", "oflag=direct")
        return read_direct(NODE, 3 * MIB) == self.plain

    def header(self):
        return read_direct(self.disk, MIB)

    def metadata(self):
        return json.loads(self.header()[4096:16384].rstrip(b"\0"))

    def encryption(self):
        return self.metadata()["segments"]["0"]["encryption"]

    def convert(self, how, target, *options):
        """To this cipher with a key and sectors of this size."""
        spec, bits, sector = target
        if how == "offline":
            options += ("--sector-size", str(sector))
        return self.change(how, usual(spec), *options, "--cipher", spec, "--key-size", str(bits))

    def change(self, how, wanted, *options):
        """CONVERTED, to the cipher that is wanted, or why not. All that may never be raises Wrong."""
        self.open(how == "online")
        before, digests = self.header(), self.metadata()["digests"]
        if how == "offline":
            options += ("--force-offline-reencrypt",)
        result = run(self.recryptctl, "reencrypt", "-q", "--progress-frequency", "1000",
                     "--key-file", KEY, *PBKDF, *options, self.disk)
        said = (result.stderr.strip().splitlines() or ["nothing"])[-1]
        if result.returncode:
            if self.header() != before:
                raise Wrong(f"refused, but the header was changed: {said}")
            return reason(said)
        self.check_converted(wanted, digests, f"{' '.join(options)} {how}")
        return CONVERTED

    def check_converted(self, wanted, digests, what):
        if self.encryption() != wanted:
            raise Wrong(f"the header has the cipher {self.encryption()} after {what}")
        if self.metadata()["digests"] == digests:
            raise Wrong(f"the volume key is the old one after {what}")
        self.open()
        if read_direct(NODE, 3 * MIB) != self.plain:
            raise Wrong(f"the data are others after {what}")


def reason(said):
    """Without the names of devices."""
    return re.sub(r"^(recryptctl: )?(/dev/\S+|vol): ", "", said).replace("|", "/")


class Chain:
    """From one format to the next: each is the new one once, and then the old one."""
    def __init__(self, volume, how, found):
        self.volume, self.how, self.found, self.now = volume, how, found, None

    def restart(self, sector):
        self.now = (*PLAIN[:2], sector)
        if not self.volume.make(*self.now):
            raise Wrong("luksFormat failed")

    def note(self, fmt, role, result):
        """The header has the usual name of what begins with "capi:"; CAPI are those that keep it."""
        if role == "old" and fmt[0].startswith("capi:"):
            result = "see below"
        if fmt in self.found:
            self.found[fmt][role, self.how] = result

    def step(self, target, *options):
        result = self.volume.convert(self.how, target, *options)
        print(f"# {self.now} to {target} {self.how}: {result}", flush=True)
        if result == CONVERTED:
            self.note(self.now, "old", result)
            self.note(target, "new", result)
            self.now = target
        return result

    def end(self):
        """The last one has been new only."""
        plain = (*PLAIN[:2], self.now[2])
        result = self.step(plain)
        if result != CONVERTED:
            self.note(self.now, "old", result)
            self.restart(plain[2])

    def add(self, fmt, *options):
        """The one before may be why it is refused, too: then from PLAIN."""
        if self.how == "online" and fmt[2] != self.now[2]:
            self.end()
            self.restart(fmt[2])
        if self.step(fmt, *options) == CONVERTED:
            return
        self.end()
        result = self.step(fmt, *options)
        if result == CONVERTED:
            return
        self.note(fmt, "new", result)
        if self.volume.make(*fmt):
            self.now = fmt
        else:
            self.note(fmt, "old", NOT_HERE)
            self.restart(fmt[2])


def sweep_ciphers(volume, wanted, hows, options=lambda: ()):
    found, wrong = {fmt: {} for fmt in wanted}, []
    for how in HOWS:
        chain = Chain(volume, how, found)
        part = [fmt for fmt in wanted if how in hows(fmt)]
        for fmt in sorted(part, key=lambda f: f[2] if how == "online" else 0):
            if not chain.now:
                chain.restart(fmt[2])
            try:
                chain.add(fmt, *options())
            except Wrong as e:
                print(f"# WRONG: {fmt} {how}, after {chain.now}: {e}", flush=True)
                wrong.append(f"{fmt} {how}: {e}")
                chain.restart(fmt[2])
        if chain.now:
            chain.end()
    if wrong:
        raise Wrong("\n".join(wrong))
    return found


def wanted_of(spec, change):
    """The new cipher: the usual name of the old one, but for what does not encrypt."""
    plain = change == "cipher" or "cipher_null" in spec
    return PLAIN[0] if plain else usual(spec)


def try_capi(volume, spec, bits, change, how):
    before, after = SECTORS_OF[how]
    if not volume.make(spec, bits, before):
        return NOT_HERE
    if volume.encryption() != spec:
        raise Wrong(f"luksFormat makes {volume.encryption()} of {spec}")
    options = {"cipher": ("--cipher", PLAIN[0]), "sectors": ("--sector-size", str(after))}
    result = volume.change(how, wanted_of(spec, change), *options.get(change, ()))
    print(f"# from {spec} {bits} {how}, {change}: {result}", flush=True)
    return result


def sweep_capi(volume, only):
    found = {}
    for spec, bits in (c for c in CAPI if only in c[0]):
        results = found[spec, bits] = dict.fromkeys(CHANGES, NOT_HERE)
        for change, how in CHANGES:
            results[change, how] = try_capi(volume, spec, bits, change, how)
            if results[change, how] == NOT_HERE:
                break
    return found


def check_capi(volume, rng, documented):
    """One that is closed, one that is open, and one through the service."""
    taken = [f for f, result in documented.items() if NOT_HERE not in result.values()]
    for how in HOWS:
        spec, bits = rng.choice(taken)
        change = rng.choice([c for c, h in CHANGES if h == how])
        result = try_capi(volume, spec, bits, change, how)
        expect(documented[spec, bits][change, how], result, f"{spec} {bits} {change} {how}")
    rotate_by_service(volume, rng.choice(SERVED))


def rotate_by_service(volume, spec):
    if not volume.make(spec, dict(CAPI)[spec], 512):
        raise Wrong(f"luksFormat does not take {spec}")
    digests = volume.metadata()["digests"]
    config = f"[Volume]\nKeyProvider=key-file\nKeyFile={KEY}\n"
    with subprocess.Popen([os.path.join(os.path.dirname(__file__), "with-service"), config],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as service:
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = service.stdout.readline().strip()
        try:
            must(volume.recryptctl, "add", volume.disk)
            must(volume.recryptctl, "rotate", "--wait", VOLUME)
            must(volume.recryptctl, "remove", VOLUME)
        finally:
            del os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
            service.stdin.close()
    volume.check_converted(usual(spec), digests, f"from {spec} by the service")
    print(f"# from {spec} by the service: {CONVERTED}", flush=True)


def try_hash(volume, name):
    """Both uses at once, and each by itself where that is refused."""
    there = volume.make(*PLAIN, "--hash", name)
    if there and volume.convert("offline", PLAIN, "--hash", name, "--resilience-hash",
                                name) == CONVERTED:
        return {"keyslot": CONVERTED, "checksums": CONVERTED}
    keyslot = volume.convert("offline", PLAIN, "--hash", name) if there else NOT_HERE
    if keyslot != CONVERTED:
        volume.make(*PLAIN)
    return {"keyslot": keyslot,
            "checksums": volume.convert("offline", PLAIN, "--resilience-hash", name)}


def sweep_hashes(volume, only):
    found = {}
    for name in (h for h in HASHES if only in h):
        found[name] = try_hash(volume, name)
        print(f"# {name}: {found[name]}", flush=True)
    return found


COLUMNS = [(role, how) for role in ("old", "new") for how in HOWS]


def table_of_ciphers(found):
    """Rows that differ only in the sizes are one."""
    rows = {}
    for (spec, bits, sector), result in found.items():
        row = rows.setdefault((spec, *(result[c] for c in COLUMNS)), [])
        row.append(f"{bits}/{sector}")
    yield "## Ciphers"
    yield ""
    yield "| cipher | key, bits/sectors, bytes | from it, closed | from it, open " \
          "| to it, closed | to it, open |"
    yield "|---|---|---|---|---|---|"
    for (spec, *results), sizes in rows.items():
        yield f"| {spec} | {' '.join(sizes)} | {' | '.join(results)} |"


def table_of_capi(found):
    yield "## Names of the kernel's crypto API"
    yield ""
    yield "| cipher | key, bits | new key, closed | new key, open | another cipher, closed " \
          "| other sectors, open |"
    yield "|---|---|---|---|---|---|"
    for (spec, bits), result in found.items():
        yield f"| {spec} | {bits} | {' | '.join(result[c] for c in CHANGES)} |"


def table_of_hashes(found):
    yield "## Hashes"
    yield ""
    yield "| hash | of keyslots | of checksums |"
    yield "|---|---|---|"
    for name, result in found.items():
        yield f"| {name} | {result['keyslot']} | {result['checksums']} |"


def read_doc(path):
    """What the tables say, in the form that the sweeps have."""
    ciphers, capi, hashes = {}, {}, {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split(" | ")]
            if len(cells) == 6 and "/" in cells[1] and cells[1][:1].isdigit():
                for size in cells[1].split():
                    bits, sector = map(int, size.split("/"))
                    ciphers[cells[0], bits, sector] = dict(zip(COLUMNS, cells[2:]))
            elif len(cells) == 6 and cells[1].isdigit():
                capi[cells[0], int(cells[1])] = dict(zip(CHANGES, cells[2:]))
            elif len(cells) == 3 and cells[0] in HASHES:
                hashes[cells[0]] = dict(zip(("keyslot", "checksums"), cells[1:]))
    return ciphers, capi, hashes


def expect(wanted, found, what):
    if wanted != found:
        raise Wrong(f"{what}: {found}, but doc/ciphers.md says {wanted} (--table writes it anew)")


def is_taken(result):
    return CONVERTED in result.values()


def choose(rng, documented):
    """One of each cipher and each mode."""
    taken = [f for f, result in documented.items() if is_taken(result)]
    chosen, ciphers, modes = [], set(), set()
    rng.shuffle(taken)
    for fmt in taken:
        cipher, mode = usual(fmt[0]).split("-")[:2]
        if cipher not in ciphers or mode not in modes:
            chosen.append(fmt)
            ciphers.add(cipher)
            modes.add(mode)
    return chosen


def check_sample(volume, rng, ciphers, hashes):
    names = [h for h, result in hashes.items() if set(result.values()) == {CONVERTED}]
    chosen = choose(rng, ciphers)
    # Each size of sectors of open volumes takes a volume of its own.
    sector = rng.choice(chosen)[2]
    how = {fmt: rng.choice(HOWS) if fmt[2] == sector else "offline" for fmt in chosen}
    found = sweep_ciphers(
        volume, chosen, lambda fmt: (how[fmt],),
        lambda: ("--hash", rng.choice(names), "--resilience-hash", rng.choice(names)))
    for fmt, result in found.items():
        for what, value in result.items():
            expect(ciphers[fmt][what], value, f"{fmt} {what}")


def check_refusals(volume, rng, documented):
    """Each kind once: the same words but for names and numbers."""
    kinds = {}
    for fmt, result in documented.items():
        if not is_taken(result):
            words = [w for w in result["new", "offline"].split() if w.isalpha()]
            kinds.setdefault(" ".join(words), []).append(fmt)
    volume.make(*PLAIN)
    for formats_of_kind in kinds.values():
        fmt, how = rng.choice(formats_of_kind), rng.choice(HOWS)
        result = volume.convert(how, fmt)
        print(f"# {PLAIN} to {fmt} {how}: {result}", flush=True)
        expect(documented[fmt]["new", how], result, f"{fmt} {how}")


def check_null_of_luks1(volume):
    """Keyslot areas of cipher_null: the new key is not put into such a one, and none is kept."""
    volume.open(False)
    must("cryptsetup", "luksFormat", "-q", "--type", "luks1", "--cipher", "cipher_null-ecb",
         "--pbkdf-force-iterations", "1000", volume.disk, KEY)
    must("cryptsetup", "convert", "-q", "--type", "luks2", volume.disk)
    before = volume.header()
    kept = run(volume.recryptctl, "reencrypt", "-q", "--key-file", KEY, "--keep-key", "--cipher",
               "aes-cbc-plain64", volume.disk)
    if kept.returncode == 0 or "holds the volume key unencrypted" not in kept.stderr:
        raise Wrong(f"a key that everybody can read is kept: {kept.stderr}")
    if volume.header() != before:
        raise Wrong("the header was changed")
    must(volume.recryptctl, "reencrypt", "-q", "--key-file", KEY, *PBKDF, volume.disk)
    areas = {slot["area"]["encryption"] for slot in volume.metadata()["keyslots"].values()}
    if areas != {"aes-xts-plain64"} or volume.encryption() != "aes-xts-plain64":
        raise Wrong(f"areas of {areas}, data of {volume.encryption()}")


def sweep_formats(volume, only):
    wanted = list(dict.fromkeys(f for f in formats() if only in f[0]))
    return sweep_ciphers(volume, wanted, lambda fmt: HOWS)


PARTS = {
    "ciphers": (sweep_formats, table_of_ciphers),
    "capi": (sweep_capi, table_of_capi),
    "hashes": (sweep_hashes, table_of_hashes),
}


def sweep(volume, part, known, only):
    """Prints the table of what has @only in its name, and yields how it differs from the document."""
    run_part, table = PARTS[part]
    found = run_part(volume, only)
    for line in ("", *table(found)):
        print(f"ROW {line}", flush=True)
    for what in found if only else {**known, **found}:
        if known.get(what) != found.get(what):
            yield f"{what}: {found.get(what)}, but doc/ciphers.md says {known.get(what)}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("disk")
    p.add_argument("recryptctl")
    p.add_argument("doc")
    p.add_argument("--seed", type=int, required=True)
    p.add_argument("--full", action="store_true")
    p.add_argument("--rows", action="store_true", help="with --full: only print the tables")
    p.add_argument("--part", choices=PARTS, help="with --full: only this table")
    p.add_argument("--only", default="", help="with --full: only what has this in its name")
    args = p.parse_args()
    rng = random.Random(args.seed)
    os.environ["LC_ALL"] = "C"
    volume = Volume(args.disk, args.recryptctl, rng)
    check_null_of_luks1(volume)
    documented = read_doc(args.doc)
    if args.full:
        differences = [line for part, known in zip(PARTS, documented)
                       if args.part in (None, part) for line in sweep(volume, part, known, args.only)]
        if differences and not args.rows:
            raise Wrong("\n".join([*differences, "(--table writes it anew)"]))
    else:
        ciphers, capi, hashes = documented
        check_refusals(volume, rng, ciphers)
        check_capi(volume, rng, capi)
        check_sample(volume, rng, ciphers, hashes)


if __name__ == "__main__":
    try:
        main()
    except Wrong as e:
        sys.exit(f"FAILED: {e}")
