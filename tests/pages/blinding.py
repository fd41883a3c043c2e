"""What must not reach a reader's browser, and the search for it in whatever was sent."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from core.catalogues import network_cards
from pages.parts.panels import STYLES


def secrets(artifacts: Path, dataset: str, cases: Iterable[str] = ()) -> list[bytes]:
    """Names and titles of the networks, names and weights of their runs, their colours, and names of cases."""
    found = [*network_cards(), *(card.title for card in network_cards().values())]
    found += [style.colour for name, style in STYLES.items() if name != "reference"]
    for path in artifacts.glob(f"runs/{dataset}-*/run.json"):
        weights = json.loads(path.read_text())["weights"]["sha256"]
        found += [path.parent.name, weights, weights[:8]]
    return [word.lower().encode() for word in (*found, *cases)]


def unpacked(content: bytes) -> bytes:
    """``content`` with every gzip part in it unpacked behind it, in lower case."""
    whole, at = [content], content.find(b"\x1f\x8b\x08")
    while at >= 0:
        with suppress(zlib.error):  # three bytes may only look like the beginning of a part
            whole.append(zlib.decompressobj(31).decompress(content[at:]))
        at = content.find(b"\x1f\x8b\x08", at + 1)
    return b"\n".join(whole).lower()


def given_away(sent: Iterable[bytes], words: Iterable[bytes]) -> list[bytes]:
    """The words that stand in what was sent."""
    text = b"\n".join(unpacked(content) for content in sent)
    return [word for word in words if word in text]
