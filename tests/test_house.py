"""The rules of the house, each a test, so that nobody has to remember them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([ROOT / "app.py", *ROOT.glob("core/**/*.py"), *ROOT.glob("pages/**/*.py")])
LONGEST = 300

# Modules a file may load when it is imported: the heavy ones are named, and where they may stand.
HEAVY = {
    "tensorflow": {"core/explain/engine.py"},
    "keras": {
        "core/models/_blocks.py",
        "core/models/_normalisation.py",
        "core/explain/engine.py",
        "core/training/*",
    },
    "jax": set(),
    "torch": set(),
    "streamlit": {"app.py", "pages/*"},
    "plotly": {"pages/parts/figures*"},
    "pandas": {"pages/*"},
    "scipy": {"core/training/batches.py", "core/metrics/surface.py", "core/datasets/_*"},
    "skimage": set(),
    "sklearn": set(),
    "imagehash": set(),
}
# Who may use whom inside core: the file or folder on the left never imports those on the right.
NEVER = {
    "core/models": ("core.datasets", "core.explain", "core.metrics", "core.training", "core.prepared"),
    "core/datasets": ("core.models", "core.explain", "core.metrics", "core.training"),
    "core/metrics": ("core.models", "core.datasets", "core.explain", "core.training", "core.reading"),
    "core/explain": ("core.datasets", "core.training", "core.evaluate", "core.reading"),
    "core/training": ("core.explain", "core.metrics", "core.evaluate", "core.reading"),
    "core/records.py": ("core.",),
    "core/cards.py": ("core.",),
    "core/errors.py": ("core.",),
    "core/places.py": ("core.",),
    "core/discover.py": ("core.",),
    "core/reading.py": ("core.training",),
    "core/evaluate.py": ("core.training",),
}
STATEFUL = {  # files of pages/parts that may touch the session's state and the address, and why
    "state.py": "what is chosen on all pages",
    "verdicts.py": "who reads, and which case the drawer of verdicts is open on",
    "study_state.py": "which window reads which study, and for how long it has been visible",
    "upload_state.py": "the reader's own image, which is nowhere else, and the files it came from",
    "lessons.py": "the answers given in lessons, and which step the address names",
}


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def allowed(where: str, places: set[str]) -> bool:
    return any(where.startswith(p[:-1]) if p.endswith("*") else where == p for p in places)


def runs_later(node: ast.AST) -> bool:
    """Whether what is inside ``node`` does not run at import: functions, and imports for types only."""
    is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    return is_typing or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def imports(node: ast.AST, at_top: bool) -> list[str]:
    """Names of imported modules: those that run at import (``at_top``), or all of them."""
    found = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            found += [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom) and child.module:
            found += [f"{child.module}.{alias.name}" for alias in child.names]
        elif at_top and runs_later(child):
            continue
        else:
            found += imports(child, at_top)
    return found


def attributes(path: Path, pattern: str) -> list[str]:
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)]
    return [text for node in nodes if re.fullmatch(pattern, text := ast.unparse(node))]


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_no_file_is_longer_than_300_lines(path):
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_heavy_libraries_stand_where_the_table_says(path):
    for name in imports(tree(path), at_top=True):
        root = name.split(".")[0]
        assert root not in HEAVY or allowed(place(path), HEAVY[root]), f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_tensorflow_is_used_in_one_file(path):
    used = any(name.split(".")[0] == "tensorflow" for name in imports(tree(path), at_top=False))
    assert not used or place(path) == "core/explain/engine.py"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_nobody_imports_across_the_borders(path):
    for left, right in NEVER.items():
        if place(path) == left or place(path).startswith(f"{left}/"):
            found = [name for name in imports(tree(path), at_top=False) if name.startswith(right)]
            own = left.removesuffix(".py").replace("/", ".")
            assert [name for name in found if not name.startswith(own)] == []


@pytest.mark.parametrize("path", [p for p in SOURCES if place(p).startswith(("pages/", "app.py"))], ids=place)
def test_pages_use_the_facade_and_nothing_behind_it(path):
    names = imports(tree(path), at_top=False)
    assert [name for name in names if name.startswith("core.") and name.count(".") > 1] == []
    if place(path) == "app.py":
        assert not any(name.startswith("core") for name in names)


@pytest.mark.parametrize("path", [p for p in SOURCES if "parts" not in place(p)], ids=place)
def test_cache_and_state_have_one_home_each(path):
    text = path.read_text()
    if place(path).startswith("pages/"):
        assert "st.cache_" not in text
        assert "session_state" not in text
        assert "query_params" not in text


@pytest.mark.parametrize("path", sorted((ROOT / "pages" / "parts").glob("*.py")), ids=place)
def test_parts_keep_cache_and_state_in_their_files(path):
    assert path.name.startswith("cached") or not attributes(path, r"st\.cache_.*")
    if path.name not in STATEFUL:
        assert not attributes(path, r"st\.(session_state|query_params).*")


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=place)
def test_every_page_is_in_the_menu_and_opens_with_the_frame(path):
    assert f"pages/{path.name}" in (ROOT / "app.py").read_text()
    body = [node for node in tree(path).body if isinstance(node, ast.With)]
    assert len(body) == 1
    assert "frame(" in ast.unparse(body[0].items[0])


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_forbidden_calls_are_not_there(path):
    calls = [ast.unparse(n.func) for n in ast.walk(tree(path)) if isinstance(n, ast.Call)]
    bad = (
        "load_model",
        "model_from_json",
        "model_from_config",
        "pickle.load",
        "pickle.loads",
        "eval",
        "exec",
    )
    assert [call for call in calls if call.split(".")[-1] in bad or call in bad] == []
    if place(path) not in ("core/__main__.py", "core/verbs.py"):
        assert "print" not in calls
    assert not any(isinstance(n, ast.Assert) for n in ast.walk(tree(path)))
    assert not any(isinstance(n, ast.ExceptHandler) and n.type is None for n in ast.walk(tree(path)))
    assert "unsafe_allow_html" not in path.read_text()
    assert "allow_pickle=True" not in path.read_text()


def test_the_facade_is_sorted_complete_and_shadows_no_module():
    import core

    ordered = sorted(core.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert core.__all__ == ordered
    modules = {p.stem for p in (ROOT / "core").glob("*")}
    assert modules.isdisjoint(core.__all__)
    imported = [
        name for name in vars(core) if not name.startswith("_") and name not in modules | {"annotations"}
    ]
    assert sorted(imported) == sorted(core.__all__)
    assert all(getattr(core, name).__doc__ for name in core.__all__ if callable(getattr(core, name)))


def test_importing_core_loads_no_heavy_library():
    program = (
        "import core, sys; heavy = ('keras', 'tensorflow', 'jax', 'scipy', 'sklearn', 'skimage', 'pandas');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_verb_and_target_stands_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    verbs = re.findall(r'verb\("(\w+)"', (ROOT / "core" / "__main__.py").read_text())
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert verbs
    assert targets
    assert [verb for verb in verbs if f"python -m core {verb}" not in readme] == []
    assert [target for target in targets if f"make {target}" not in readme] == []


def test_no_tracked_file_is_large_or_named_like_a_real_case():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    sizes = [path.stat().st_size for path in files]
    assert max(sizes) < 45e6
    assert sum(sizes) < 110e6
    case = re.compile(r"(benign|malignant|normal) \(\d+\).*\.png|(volume|segmentation)-\d+\.nii(\.gz)?")
    assert [place(path) for path in files if case.fullmatch(path.name)] == []


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_every_public_function_says_what_it_does(path):
    public = [
        node
        for node in tree(path).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    assert [node.name for node in public if not ast.get_docstring(node)] == []
    assert ast.get_docstring(tree(path))
