"""Run the timings named on the command line (default: all), print them, write tests/output/bench.json.

``python -m tests.bench volumes`` runs one part, ``volumes=800`` at another size (what that is, the part says).
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
PARTS = ("engine", "pages", "preparation", "training", "viewer", "volumes")
TARGETS = {
    "naive_over_engine": 30.0,
    "script_over_prepare_nii": 10.0,
    "keras_vis_over_engine": 10.0,
    "keras_step_over_unet": 1.0,
    "keras_step_over_multiresunet": 1.1,
    "keras_step_over_dcunet": 1.1,
}  # at least
MOST = {
    "all_over_design": 1.5,
    "redraw_128_p95_ms": 16.0,
    "redraw_512_p95_ms": 33.0,
    "cpu_128_p95_ms": 16.0,
    "cpu_512_p95_ms": 33.0,
    "payload_100_slices_bytes": 3e6,
    "rerun_bytes": 2000.0,
}


def main(chosen: list[str]) -> int:
    """0 when every target is met, 1 otherwise."""
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f} at the start: compare ratios, not seconds")
    found: dict[str, dict[str, float]] = {}
    met = True
    for word in chosen or PARTS:
        part, _, size = word.partition("=")
        measure = importlib.import_module(f"tests.bench.{part}").measure
        found[part] = measure(int(size)) if size else measure()
        for name, value in found[part].items():
            goal, most = TARGETS.get(name), MOST.get(name)
            met = met and (goal is None or value >= goal) and (most is None or value <= most)
            note = "" if goal is None else f"   (target: at least {goal:g})"
            note += "" if most is None else f"   (target: at most {most:g})"
            print(f"{part:12} {name:28} {value:12.4g}{note}")
    output = Path(__file__).resolve().parent.parent / "output" / "bench.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps({"load": load, "cores": os.cpu_count(), **found}, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
