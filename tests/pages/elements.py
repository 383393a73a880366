"""What tests ask a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Elements(HTMLParser):
    """All elements of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data + "\n"

    def values(self, attribute: str) -> list[str]:
        """Of all elements that have an attribute."""
        return [values[attribute] or "" for _, values in self.found if attribute in values]

    def tags(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a tag."""
        return [values for found, values in self.found if found == tag]


def assert_stands_alone(html: str) -> None:
    """That a page asks for nothing outside itself, and would not get it."""
    elements = Elements(html)
    for attribute in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
        assert all(value.startswith(("#", "data:")) for value in elements.values(attribute)), attribute
    assert not re.findall(r"url\((?!#)|@import|https?://(?!www\.w3\.org/)", html)
    assert not {"link", "iframe", "object"} & {tag for tag, values in elements.found if values.get("rel") != "icon"}
    assert any("default-src 'none'" in value for value in elements.values("content"))
    ids = elements.values("id")
    assert len(ids) == len(set(ids))
    assert all(image["alt"] for image in elements.tags("img"))
