"""The page for an image of the reader's own, with a stand-in for the networks: no TensorFlow, no weights."""

import runpy
import sys

import core.explain
from tests.pages import small

if "core.explain.engine" not in sys.modules:
    engine = small.stand_in()
    sys.modules["core.explain.engine"] = core.explain.engine = engine

runpy.run_path(str(small.ROOT / "pages" / "try_image.py"))
