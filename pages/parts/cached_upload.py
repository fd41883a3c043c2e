"""What is cached of a reader's own image: in that reader's session alone, and gone with it."""

from __future__ import annotations

import gzip

import streamlit as st


@st.cache_resource(show_spinner=False, max_entries=64, scope="session")
def compressed(name: str, _content: bytes) -> bytes:
    """gzip of bytes, without its time stamp; ``name`` is their checksum. As ``cached.compressed``."""
    return gzip.compress(_content, 6, mtime=0)


def forget() -> None:
    """Drop all of it now."""
    compressed.clear()
