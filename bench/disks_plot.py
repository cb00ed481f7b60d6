# SPDX-License-Identifier: GPL-3.0-or-later
"""
The report of bench/disks as an SVG: how near to the limit both programs come, where the time goes, and
one hotzone of ours on each disk, a lane for each kind of request: light while it waits, dark while the
disk does it.
"""
import html

from disk_trace import KINDS, STATES, median_run

WIDTH, LEFT, RIGHT, BAR, ROW, LANE = 940, 236, 90, 13, 16, 11
PROGRAMS = {"stock": ("cryptsetup", "#c0392b"), "ours": ("recryptctl", "#1769aa")}
COLOURS = dict(zip(STATES, ("#1e8449", "#2e86c1", "#7d3c98", "#b9770e", "#d4ac0d", "#ec7063",
                            "#a93226", "#566573", "#d5d8dc")))
MIB = 1 << 20


class Picture:
    def __init__(self):
        self.parts, self.y = [], 24

    def text(self, x, text, anchor="start", bold=False):
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(f'<text x="{x:.0f}" y="{self.y}" text-anchor="{anchor}"{weight}>'
                          f'{html.escape(text)}</text>')

    def bar(self, x, width, colour, height=BAR, opacity=1.0):
        shade = f' fill-opacity="{opacity}"' if opacity < 1 else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{self.y - height + 2}" width="{max(width, .5):.1f}" '
                          f'height="{height}" fill="{colour}"{shade}/>')

    def heading(self, text):
        self.y += 18
        self.text(12, text, bold=True)
        self.y += ROW + 4

    def legend(self, colours):
        x = LEFT
        for name, colour in colours:
            self.bar(x, 10, colour, 10)
            self.text(x + 14, name)
            x += 26 + 6.3 * len(name)
        self.y += ROW + 4

    def whole(self):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.y}" '
            'font-family="sans-serif" font-size="12">',
            '<!-- SPDX-License-Identifier: GPL-3.0-or-later -->',
            f'<rect width="{WIDTH}" height="{self.y}" fill="#fff"/>', *self.parts, "</svg>\n"])


def cases(report):
    for name, disk in report["models"].items():
        for what, case in disk["what"].items():
            yield f"{name}, {what}", case


def speeds(picture, report):
    picture.heading("Speed; the whole width is the limit: each byte is read once and written once, "
                    "with a journal twice")
    picture.legend(PROGRAMS.values())
    room = WIDTH - LEFT - RIGHT
    for name, case in cases(report):
        for who in (w for w in PROGRAMS if w in case):
            picture.text(LEFT - 6, name if who == "ours" else "", "end")
            picture.bar(LEFT, room, "#eee")
            picture.bar(LEFT, room * case[who] / case["limit"], PROGRAMS[who][1])
            picture.text(LEFT + room + 6, f"{case[who] / MIB:.1f} MiB/s")
            picture.y += ROW
        picture.y += 4


def times(picture, report):
    picture.heading("Where the time goes")
    picture.legend(COLOURS.items())
    room = WIDTH - LEFT - RIGHT
    for name, case in cases(report):
        for who in (w for w in PROGRAMS if w in case):
            trace = median_run(case["runs"][who])["trace"]
            picture.text(LEFT - 6, f"{name}, {PROGRAMS[who][0]}", "end")
            x = LEFT
            for state, seconds in trace["states"].items():
                width = room * seconds / max(trace["seconds"], 1e-9)
                if seconds:
                    picture.bar(x, width, COLOURS[state])
                x += width
            picture.y += ROW


def hotzone(picture, name, window):
    picture.heading(f"{name}: one hotzone of recryptctl, {window['seconds'] * 1e3:.1f} ms")
    scale = (WIDTH - LEFT - RIGHT) / max(window["seconds"], 1e-9)
    for lane in ("seek", *KINDS):
        mine = [s for s in window["services"] if s[0] == lane]
        if not mine:
            continue
        picture.text(LEFT - 6, lane, "end")
        for busy, opacity in ((False, .25), (True, 1.0)):
            for begin, end in joined([s for s in mine if s[3] == busy], 0.5 / scale):
                picture.bar(LEFT + begin * scale, (end - begin) * scale, COLOURS[lane], LANE, opacity)
        picture.y += ROW


def joined(services, gap):
    """What overlaps, or nearly touches, is drawn once."""
    found = []
    for _, begin, end, _ in sorted(services, key=lambda s: s[1]):
        if found and begin <= found[-1][1] + gap:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([begin, end])
    return found


def draw(report):
    picture = Picture()
    picture.text(12, f"Re-encryption of {report['size'] // MIB} MiB on models of disks: "
                 f"{report['cryptsetup']} and recryptctl", bold=True)
    speeds(picture, report)
    times(picture, report)
    for name, case in (c for c in cases(report) if not c[0].endswith("journal")):
        hotzone(picture, name, median_run(case["runs"]["ours"])["trace"]["window"])
    picture.y += 8
    return picture.whole()
