"""Tables, means and the plot of compare.py."""

import math
import pathlib

from chain import STAGES

BANDS = (("1 to 64", 1, 64), ("65 to 2048", 65, 2048), ("2049 and more", 2049, 1 << 62))
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b")


def print_rows(lines):
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [str(cell).ljust(width) if column == 0 else str(cell).rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def names_of(results, stage):
    names = []
    for result in results:
        names += [name for name in result["us"][stage] if name not in names]
    return names


def print_table(results, stage):
    """A row a case. Touch reads and writes Q and K alone, so it is no ceiling of a call that writes a cache."""
    names, ceiling = names_of(results, stage), ["touch"] if stage == "rope" else []
    if not names:
        return
    print(f"\n{stage}: microseconds added to a layer")
    over = [*ceiling, "flashinfer"]
    lines = [["model", "type", "tokens", "layer", *ceiling, *names, *(f"hiprope/{other}" for other in over)]]
    for result in results:
        us = result["us"][stage] | {"touch": result["touch"]}
        shown = [f"{us[name]:.2f}" if name in us else "-" for name in (*ceiling, *names)]
        ratios = [f"{us['hiprope'] / us[other]:.2f}" if "hiprope" in us and us.get(other) else "-" for other in over]
        lines.append([result["model"], result["type"], result["tokens"], f"{result['layer']:.1f}", *shown, *ratios])
    print_rows(lines)


def ratios_of(results, stage, rival, low, high):
    """hiprope's microseconds over a rival's, with the case."""
    found = []
    for result in results:
        us = result["us"][stage] | {"touch": result["touch"]}
        if low <= result["tokens"] <= high and us.get("hiprope", 0) > 0 and us.get(rival, 0) > 0:
            found.append((us["hiprope"] / us[rival], f"{result['model']} {result['type']} at {result['tokens']}"))
    return found


def print_means(results):
    print("\nhiprope over a rival: geometric mean of what they add, cases, worst case")
    lines = [["stage", "rival", *(name for name, _, _ in BANDS)]]
    for stage in STAGES:
        for rival in (*(["touch"] if stage == "rope" else []), *names_of(results, stage)):
            cells = []
            for _, low, high in BANDS:
                found = ratios_of(results, stage, rival, low, high)
                mean = math.exp(sum(math.log(ratio) for ratio, _ in found) / len(found)) if found else 0
                cells.append(f"{mean:.3f} ({len(found)}), {max(found)[0]:.2f} {max(found)[1]}" if found else "-")
            if rival != "hiprope" and cells != ["-"] * len(BANDS):
                lines.append([stage, rival, *cells])
    print_rows(lines)


def rank_correlation(xs, ys):
    """Spearman's, of values without ties."""
    def ranks(values):
        order = sorted(range(len(values)), key=values.__getitem__)
        return {index: rank for rank, index in enumerate(order)}

    count, of_x, of_y = len(xs), ranks(xs), ranks(ys)
    if count < 2:
        return 1.0
    return 1 - 6 * sum((of_x[i] - of_y[i]) ** 2 for i in range(count)) / (count * (count * count - 1))


def write_plot(results, path):
    """Points: what hiprope's rope adds over what a rival's adds, by tokens; above the line hiprope is slower."""
    left, right, top, bottom, most = 60, 640, 30, 400, 1.5
    tokens = sorted({result["tokens"] for result in results})
    rivals = [name for name in ("touch", *names_of(results, "rope")) if name != "hiprope"]
    x_of = {count: left + (right - left) * (i + 0.5) / len(tokens) for i, count in enumerate(tokens)}

    def y_of(ratio):
        return bottom - (bottom - top) * min(ratio, most) / most

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 450" font-family="sans-serif" font-size="12">'
           f'<rect width="100%" height="100%" fill="#fff"/><path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#444"/>'
           f'<text x="{left}" y="20">what hiprope adds to a layer / what a rival adds</text>']
    for ratio in (0.25, 0.5, 0.75, 1.0, 1.25, 1.5):
        stroke = "#444" if ratio == 1.0 else "#ddd"
        svg.append(f'<path d="M{left} {y_of(ratio):.0f}H{right}" stroke="{stroke}"/>'
                   f'<text x="{left - 8}" y="{y_of(ratio) + 4:.0f}" text-anchor="end">{ratio}</text>')
    for count in tokens:
        svg.append(f'<text x="{x_of[count]:.0f}" y="{bottom + 18}" text-anchor="middle">{count}</text>')
    svg.append(f'<text x="{(left + right) / 2:.0f}" y="{bottom + 38}" text-anchor="middle">tokens</text>')
    for i, rival in enumerate(rivals):
        colour = COLOURS[i % len(COLOURS)]
        svg.append(f'<circle cx="{right + 20}" cy="{top + 20 * i}" r="4" fill="{colour}"/>'
                   f'<text x="{right + 32}" y="{top + 20 * i + 4}">{rival}</text>')
        for count in tokens:
            for ratio, _ in ratios_of(results, "rope", rival, count, count):
                x = x_of[count] + 6 * (i - len(rivals) / 2)
                svg.append(f'<circle cx="{x:.1f}" cy="{y_of(ratio):.1f}" r="3" fill="{colour}" fill-opacity="0.6"/>')
    pathlib.Path(path).write_text("\n".join(svg) + "\n</svg>\n")
