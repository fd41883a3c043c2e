"""The command line: quick where it only lists, named where it fails."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from core import __main__ as cli


def test_list_needs_less_than_a_second_of_cpu_and_no_keras():
    program = (
        "import resource, runpy, sys\n"
        "before = resource.getrusage(resource.RUSAGE_SELF)\n"
        "sys.argv = ['core', 'list']\n"
        "try:\n    runpy.run_module('core', run_name='__main__', alter_sys=True)\nexcept SystemExit: pass\n"
        "after = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print('CPU', after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)\n"
        "print('LOADED', [n for n in ('keras', 'tensorflow', 'scipy.stats') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "LOADED []"
    assert float(lines[-2].split()[1]) < 1.0
    assert any("unet" in line for line in lines)
    assert resource.RLIMIT_CPU is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "busi"], "python -m core prepare busi"),
        (["train", "busi", "unet"], "python -m core prepare busi"),
        (["prepare", "busi", "--from", "/nowhere"], "/nowhere"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_mends_it(arguments, words, capsys):
    assert cli.main(arguments) == 1
    assert words in capsys.readouterr().err


def test_an_unknown_network_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "busi", "vgg"])
    assert "dcunet" in capsys.readouterr().err
