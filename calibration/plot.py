"""Each layer's damage as a bar chart, in SVG: any browser shows it, and nothing is needed to draw it."""

from xml.sax.saxutils import escape

from ainet.calibration.sensitivity import Result

ROW, LEFT, WIDTH = 20, 120, 480  # pixels


def bars(result: Result) -> str:
    """An SVG picture of the share of pixels that each layer alone moves to another cell; layers left in float are orange."""
    height = ROW * (len(result.alone) + 2)
    largest = max((damage.disagreement for damage in result.alone.values()), default=0) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 80}" height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{LEFT}" y="{ROW - 5}">pixels with another best cell, one layer in INT8 (orange: left in float)</text>',
    ]
    for row, (name, damage) in enumerate(result.alone.items(), 1):
        colour = "darkorange" if name in result.float_layers else "steelblue"
        length = WIDTH * damage.disagreement / largest
        parts += [
            f'<text x="{LEFT - 6}" y="{ROW * row + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{ROW * row + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 5:.1f}" y="{ROW * row + 14}">{damage.disagreement:.2%}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
