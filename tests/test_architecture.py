"""What docs/architecture.md promises: no import cycles, a map of files in every package, and
functions and files of a size to read.
"""

import ast
import graphlib
from pathlib import Path

import grimp
import pytest

from genmem.metrics.built_in import BUILT_IN

SOURCES = Path(__file__).parents[1] / "src" / "genmem"
PACKAGES = sorted(
    init.parent
    for init in SOURCES.rglob("__init__.py")
    if init.parent != SOURCES and init.parent.name not in {"migrations", "templatetags"}
)


def modules_of(package):
    """Names of the files and folders of Python code in a package, without Django's fixed ones."""
    fixed = {"__init__", "__main__", "apps", "models", "urls", "views", "forms", "migrations"}
    fixed |= {"templatetags", "static", "templates"}
    files = {path.stem for path in package.glob("*.py")}
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    return sorted(name for name in (files | folders) - fixed if not name.startswith("_"))


def find_circle(imports):
    """The modules of one circle of imports, in order; empty where there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("genmem", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert find_circle(imports) == []


def test_a_circle_would_be_found():
    assert set(find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(SOURCES)))
def test_every_package_says_in_its_docstring_what_each_file_holds(package):
    described = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    if package.name == "metrics":  # whose map is its table of metrics
        described += "".join(metric.module for metric in BUILT_IN.values())
    missing = [name for name in modules_of(package) if name not in described]
    assert not missing, f"{package.name}/__init__.py does not mention {', '.join(missing)}"


def without_encoding(tree):
    """Line numbers of calls that open a text file in the locale's encoding."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg == "encoding" for word in node.keywords):
            continue
        name = ast.unparse(node.func).removeprefix("archive.open").rpartition(".")[2]
        modes = [
            value.value
            for value in (*node.args, *(word.value for word in node.keywords))
            if isinstance(value, ast.Constant)
        ]
        is_text = name == "open" and any(mode in ("r", "w", "a", "x", "rt", "wt") for mode in modes)
        if (name in ("read_text", "write_text") and "utf-8" not in modes) or is_text:
            yield node.lineno


def test_text_files_are_read_and_written_in_a_stated_encoding():
    places = [
        f"{path.relative_to(SOURCES)}:{line}"
        for path in SOURCES.rglob("*.py")
        for line in without_encoding(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert places == []


def lines(first, last):
    """How many lines two nodes take, with those between."""
    return last.end_lineno - first.lineno + 1


def functions():
    """All functions of the package, named by file and function, but the migrations'."""
    for path in SOURCES.rglob("*.py"):
        if "migrations" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{path.relative_to(SOURCES)}:{node.name}", node


ENTRY_POINTS = {
    *("auditing/audit.py:audit", "calibration/analyze.py:analyze", "scoring/score.py:score"),
    *("deduplication/duplicates.py:duplicates", "scoring/running.py:__init__"),
    *("reference/build.py:build_reference", "comparison/compare.py:compare"),
    "querying/query.py:query",
    *("features/extract.py:extract", "images/registry.py:open_images"),
    *("metrics/c_t.py:c_t", "metrics/copied_fraction.py:copied_fraction", "metrics/kid.py:kd"),
    *("training/diffusion/train.py:train", "training/rejection/rejection.py:__init__"),
}
"""What users call: long by what their docstrings explain, or by their options."""


TO_SPLIT = {
    *("auditing/local/evidence.py:local_evidence", "cli/audit.py:audit"),
}
"""Longer or wider than they should be. Take them from here when they are split; add none."""


def test_functions_fit_on_a_screen():
    long = {
        name
        for name, node in functions()
        # A command's parameters are its options, each with a line.
        if lines(node.body[0] if name.startswith("cli/") else node, node) > 60
    }
    assert long - ENTRY_POINTS <= TO_SPLIT


def test_functions_take_at_most_eight_parameters():
    wide = set()
    for name, node in functions():
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        names = {parameter.arg for parameter in parameters} - {"self", "cls"}
        if len(names) > 8 and not name.startswith("cli/"):
            wide.add(name)
    assert wide - ENTRY_POINTS <= TO_SPLIT


def test_files_stay_below_500_lines():
    long = [
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 500
    ]
    assert long == []
