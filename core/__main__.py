"""The command line: python -m core list | demo | prepare | train | study | evaluate | precompute | certify ...

Every import of a verb's own machinery is inside its function, so that ``list`` stays fast.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from core import catalogues, settings, verbs
from core.errors import CoreError, JobBusy

BUSY = 75  # exit status of a second start (EX_TEMPFAIL of sysexits.h)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 when it worked, 1 for a named error, 75 when the run is already being trained."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a missing GPU is no error worth alarming anybody
    chosen = parser().parse_args(arguments)
    try:
        return chosen.verb(chosen) or 0
    except JobBusy as error:
        print(f"Busy: {error}", file=sys.stderr)
        return BUSY
    except CoreError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What was finished is kept.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """Every verb with its arguments; the settings of a training are flags made from their list."""
    made = argparse.ArgumentParser(
        prog="python -m core", description="Three segmentation networks, compared."
    )
    known = made.add_subparsers(required=True, metavar="verb")
    networks = list(catalogues.network_modules())

    def verb(name: str, act: Callable[[argparse.Namespace], Any]) -> argparse.ArgumentParser:
        summary = (act.__doc__ or "").splitlines()[0]
        one = known.add_parser(name, help=summary, description=summary)
        one.set_defaults(verb=act)
        return one

    verb("list", verbs.list_all)
    shown = verb("demo", verbs.demo)
    shown.add_argument("--cases", type=int, help="of each kind (default: 60 pictures, 6 volumes)")
    shown.add_argument("--seed", type=int, default=0)
    brought = verb("prepare", verbs.prepare_folder)
    brought.add_argument("layout", help="busi or lits")
    brought.add_argument("--from", dest="source", required=True, metavar="DIR", help="the downloaded folder")
    brought.add_argument(
        "--as", dest="name", metavar="NAME", help="prepare as an external test set of this name"
    )
    brought.add_argument(
        "--groups", metavar="FILE", help="CSV with the columns case and patient, for volumes"
    )
    taught = verb("train", verbs.train)
    taught.add_argument("dataset")
    taught.add_argument("models", nargs="+", metavar="model", choices=networks, help=", ".join(networks))
    taught.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    _add_settings(taught)
    stopped = verb("stop", verbs.stop)
    stopped.add_argument("run")
    studied = verb("study", verbs.study)
    studied.add_argument("dataset")
    studied.add_argument("--models", nargs="+", choices=networks, help="default: all")
    studied.add_argument("--seeds", type=int, default=3, help="0, 1, ... so many (default: 3)")
    studied.add_argument("--folds", type=int, help="1: the default split (default: every fold there is)")
    studied.add_argument("--executor", choices=("local", "dask"), default="local")
    studied.add_argument("--jobs", type=int, help="trainings at a time (default: one, or one per GPU)")
    studied.add_argument("--scheduler", metavar="ADDR", help="of Dask, such as tcp://host:8786")
    _add_settings(studied, without=("seed", "split"))
    scored = verb("evaluate", verbs.evaluate)
    scored.add_argument("--json", action="store_true", help="print one JSON list of records, nothing else")
    for each in (scored, verb("precompute", verbs.precompute), verb("claim", verbs.claim)):
        each.add_argument("dataset")
        each.add_argument("--runs", nargs="+")
    checked = verb("certify", verbs.certify)
    checked.add_argument("runs", nargs="+", metavar="run")
    checked.add_argument("--cases", type=int, default=24, help="of the test part, one per group first")
    checked.add_argument("--road", action="store_true", help="also ROAD, which doubles the time")
    verb("drop-weights", verbs.drop_weights).add_argument("runs", nargs="+", metavar="run")
    given = verb("export", verbs.export)
    given.add_argument("run")
    given.add_argument("case", help="a volume, such as volume-12")
    given.add_argument(
        "--to", dest="target", required=True, metavar="FILE", help="a .nii.gz file, or a folder"
    )
    given.add_argument("--dataset", help="the dataset of the case (default: that of the run)")
    given.add_argument("--force", action="store_true", help="replace a file that is there")
    return made


def _add_settings(verb: argparse.ArgumentParser, without: Sequence[str] = ()) -> None:
    """A flag for each setting of a training; one that is not given is left to the recipe."""
    verb.add_argument("--recipe", choices=("strong", "paper"), default="strong")
    verb.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    for setting in settings.list_settings():
        flag, said = f"--{setting.name.replace('_', '-')}", setting.sentence
        if setting.name in without:
            continue
        if setting.kind is bool:
            verb.add_argument(flag, action=argparse.BooleanOptionalAction, default=None, help=said)
        else:
            verb.add_argument(flag, type=setting.kind, choices=setting.choices or None, help=said)


if __name__ == "__main__":
    sys.exit(main())
