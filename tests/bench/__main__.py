"""Run the timings named on the command line (default: all), print them, write tests/output/bench.json."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PARTS = ("engine", "pages", "preparation")
TARGETS = {"naive_over_engine": 30.0}  # at least


def main(chosen: list[str]) -> int:
    """0 when every target is met, 1 otherwise."""
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the start: compare ratios, not seconds")
    found: dict[str, dict[str, float]] = {}
    met = True
    for part in chosen or PARTS:
        found[part] = importlib.import_module(f"tests.bench.{part}").measure()
        for name, value in found[part].items():
            goal = TARGETS.get(name)
            met = met and (goal is None or value >= goal)
            note = "" if goal is None else f"   (target: at least {goal:g})"
            print(f"{part:12} {name:28} {value:12.4g}{note}")
    output = Path(__file__).resolve().parent.parent / "output" / "bench.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({"load": load, "cores": os.cpu_count(), **found}, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
