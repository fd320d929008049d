"""From matplotlib's SVG to one that is part of a page."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

LINK = "{http://www.w3.org/1999/xlink}href"


def svg_for_page(svg: str, prefix: str, label: str, colours: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Ids of its own, colours as CSS variables, the page's font, and a title for every link.

    Args:
        prefix: of the ids, different for each plot of a page.
        label: what the plot shows, for those who do not see it.
        colours: the CSS variable of each colour.
        titles: of the links, by target without "#".
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _tag(child) in ("metadata", "style"):
                parent.remove(child)
    ids = {element.get("id") for element in root.iter()}
    for element in root.iter():
        element.tag = _tag(element)
        element.attrib = {name: _own(value, prefix, ids) for name, value in _attributes(element, prefix)}
        if style := element.get("style"):
            style = re.sub(r"font-family: [^;]+(; )?", "", style)
            element.set("style", re.sub(r"#[0-9a-f]{6}", lambda match: _variable(match[0], colours), style))
        if element.tag == "a":
            title = ElementTree.Element("title")
            title.text = titles[element.attrib["href"][1:]]
            element.insert(0, title)
    for size in ("width", "height"):
        del root.attrib[size]
    root.attrib |= {"role": "img", "aria-label": label}
    return re.sub(r"\s*\n\s*", " ", ElementTree.tostring(root, "unicode"))


def _attributes(element: ElementTree.Element, prefix: str) -> list[tuple[str, str]]:
    kept = ((name, value) for name, value in element.attrib.items() if name not in ("version", "target"))
    return [("href" if name == LINK else name, f"{prefix}-{value}" if name == "id" else value) for name, value in kept]


def _own(value: str, prefix: str, ids: set[str | None]) -> str:
    """References to ids of this plot get its prefix; those to rows of the page stay."""
    if value.startswith("#") and value[1:] in ids:
        return f"#{prefix}-{value[1:]}"
    return re.sub(r"url\(#", f"url(#{prefix}-", value)


def _variable(colour: str, colours: Mapping[str, str]) -> str:
    return f"var({colours[colour]})" if colour in colours else colour


def _tag(element: ElementTree.Element) -> str:
    return element.tag.partition("}")[2] or element.tag
