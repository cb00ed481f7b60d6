# SPDX-License-Identifier: GPL-3.0-or-later
"""
Latency over time as an SVG: a panel for each run, time to the right, latency upwards in decades. A
request is a line from when it was issued to its end; those that look the same are drawn once.
"""
import html
import math

WIDTH, PANEL, LEFT, TOP, GAP, RIGHT = 860, 170, 64, 34, 46, 16
COLOURS = {"none": "#5b6770", "ours": "#1769aa", "limited": "#2e8b57", "stock": "#c0392b"}
STEP = 0.06  # of a decade


def duration(seconds):
    if seconds < 1e-3:
        return f"{seconds * 1e6:g} us"
    return f"{seconds * 1e3:g} ms" if seconds < 1 else f"{seconds:g} s"


def lines(requests, x, y):
    """One path: a request is a level and two pixels, and the pixels of a level are joined."""
    levels = {}
    for begin, latency in requests:
        level = round(math.log10(max(latency, 1e-6)) / STEP)
        first = math.floor(x(begin))
        levels.setdefault(level, []).append((first, max(math.ceil(x(begin + latency)), first + 1)))
    path = []
    for level, spans in sorted(levels.items()):
        joined = []
        for first, last in sorted(spans):
            if joined and first <= joined[-1][1]:
                joined[-1][1] = max(joined[-1][1], last)
            else:
                joined.append([first, last])
        height = f"{y(10 ** (level * STEP)):.0f}"
        path += [f"M{first} {height}h{last - first}" for first, last in joined]
    return "".join(path)


def nice_step(seconds):
    """Of the axis of time: six to fifteen steps in all."""
    power = 10 ** math.floor(math.log10(seconds / 6))
    return max(power * n for n in (1, 2, 5) if power * n * 6 <= seconds)


def draw(panels, heading):
    """@panels: (kind, title, seconds of re-encryption, requests)."""
    begin = min(0, min(moment for *_, requests in panels for moment, _ in requests))
    end = max(max(seconds, max(m + latency for m, latency in requests))
              for _, _, seconds, requests in panels)
    latencies = [latency for *_, requests in panels for _, latency in requests]
    low, high = math.floor(math.log10(min(latencies))), math.ceil(math.log10(max(latencies)))
    high = max(high, low + 1)

    def x(moment):
        return LEFT + (moment - begin) / (end - begin) * (WIDTH - LEFT - RIGHT)

    height = TOP + len(panels) * (PANEL + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="12">',
           '<!-- SPDX-License-Identifier: GPL-3.0-or-later -->',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           f'<text x="{LEFT}" y="16">{html.escape(heading)}</text>']
    for number, (kind, title, seconds, requests) in enumerate(panels):
        top = TOP + 18 + number * (PANEL + GAP)

        def y(latency, top=top):
            return top + (high - math.log10(latency)) / (high - low) * PANEL

        out.append(f'<text x="{LEFT}" y="{top - 6}" font-weight="bold" fill="{COLOURS[kind]}">'
                   f'{html.escape(title)}</text>')
        if kind != "none":
            out.append(f'<rect x="{x(0):.0f}" y="{top}" width="{x(seconds) - x(0):.0f}" '
                       f'height="{PANEL}" fill="{COLOURS[kind]}" fill-opacity=".08"/>')
        for decade in range(low, high + 1):
            at = y(10 ** decade)
            out.append(f'<path d="M{LEFT} {at:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 6}" y="{at + 4:.0f}" text-anchor="end">'
                       f'{duration(10.0 ** decade)}</text>')
        step = nice_step(end)
        for tick in range(int(end / step) + 1):
            out.append(f'<text x="{x(tick * step):.0f}" y="{top + PANEL + 15}" '
                       f'text-anchor="middle">{tick * step:g} s</text>')
        out.append(f'<path d="{lines(requests, x, y)}" stroke="{COLOURS[kind]}" '
                   'stroke-width="2" fill="none"/>')
    out.append("</svg>\n")
    return "\n".join(out)
