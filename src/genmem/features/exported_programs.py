"""Read `torch.export` programs (.pt2) without running anything but their torch operators.

`torch.export.load` unpickles: weights and constants that are tensor subclasses or Python objects,
and example inputs where a safe reading fails. It evaluates symbolic sizes as Python (sympy), builds
guards by `exec`, calls whatever below `torch` or `operator` a node names, and loads compiled
libraries (AOTInductor). A program that `torch.export.save`
wrote for an ordinary network needs none of these, so a file with any of them is refused before
torch reads it. What is left is a graph of torch operators on plain tensors: a program, as an ONNX
or TorchScript file is, but none that reaches Python.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genmem.errors import InputError

_KNOWN_FILES = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id|alignment)|"
    r"models/model\.json|extra/[^/]*|data/sample_inputs/model\.pt|"
    r"data/weights/(weight_\d+|model_weights_config\.json)|"
    r"data/constants/(tensor_\d+|model_constants_config\.json)"
)
_IS_READ = re.compile(r"\.json$|sample_inputs")
_EXPRESSION = re.compile(
    r"(?:-?\d+|[-+*/(), =]|'[a-z]+\d+'|positive=True|integer=True|"
    r"(?:Symbol|Integer|Rational|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|"
    r"CeilToInt|IntTrueDiv|PowByNatural)(?=\())*"
)
_PLAIN_TEXT = re.compile(r"[\w.:#<>+/ -]*")
_TENSOR_OPERATOR = re.compile(r"torch\.ops\.(aten|prims)\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)")
_SYMBOLIC_OPERATORS = re.compile(
    r"torch\.(_sym_sqrt|sym_(int|float|max|min|not|ite|sqrt|sum))|math\.(trunc|ceil|floor)|"
    r"_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|"
    r"not_)"
)
"""What a program computes sizes with, as torch's own writer names it."""

_CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def refuse_code(path: Path) -> None:
    """Refuse an exported program that could run Python or machine code when it is loaded.

    Raises:
        InputError: it could, or it is not an exported program; the message names the part.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            files = {
                name.partition("/")[2]: archive.read(name) if _IS_READ.search(name) else b""
                for name in names
            }
        if len(files) < len(names) or len({name.partition("/")[0] for name in names}) > 1:
            problem = "its entries are not in one folder, each once"
        else:
            problem = next(_problems(files), None)
    except (OSError, ValueError, KeyError, AttributeError, RecursionError, RuntimeError) as error:
        problem = f"it cannot be read ({type(error).__name__}: {error})"
    except (zipfile.BadZipFile, NotImplementedError) as error:
        problem = f"it is not an archive ({error})"
    if problem is not None:
        raise InputError(
            f"{path.name}: expected a program that torch.export.save wrote, of operators on plain "
            f"tensors; {problem}. Export the network itself, without tensor subclasses or custom "
            "objects, with the torch version that is installed here."
        )


def _problems(files: dict[str, bytes]) -> Iterator[str]:
    """What could run code, or is not of an exported program."""
    import torch

    for name in files:
        if not _KNOWN_FILES.fullmatch(name):
            yield f"{name!r} is not a part of one"
    for kind in ("weights", "constants"):
        config = json.loads(files[f"data/{kind}/model_{kind}_config.json"])["config"]
        for payload in config.values():
            if payload["use_pickle"] is not False or "/" in payload["path_name"]:
                yield "a tensor in it is pickled, and nothing is unpickled here"
            if not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
                yield "it holds a Python object, and nothing is unpickled here"
    try:
        torch.load(io.BytesIO(files["data/sample_inputs/model.pt"]), weights_only=True)
    except Exception:  # torch's reader interprets any bytes as a pickle and raises anything
        yield "its example inputs are not plain tensors, and nothing is unpickled here"
    program = json.loads(files["models/model.json"])
    if program.get("guards_code"):
        yield "it checks its input by Python code"
    yield from _unsafe_texts(program)


def _unsafe_texts(value: Any, key: str = "") -> Iterator[str]:
    """The texts of a graph that torch would evaluate and that are more than names and sizes."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _unsafe_texts(name)
            if name != "metadata" or not _is_metadata(child):
                yield from _unsafe_texts(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from _unsafe_texts(child, key)
    elif isinstance(value, str):
        if key in ("in_spec", "out_spec"):
            safe = _is_plain_tree(json.loads(value)[1])
        elif key in ("target", "as_operator"):
            safe = _is_operator(value)
        else:
            pattern = _EXPRESSION if key == "expr_str" else _PLAIN_TEXT
            safe = pattern.fullmatch(value) is not None
        if not safe:
            yield f"its {key or 'graph'} holds {value[:60]!r}"


def _is_operator(target: str) -> bool:
    """Whether a node calls an operator that torch has, but for `from_file`, which reads any file.

    torch resolves any name below `torch` and `math`: `torch.os.system`, and, as attributes of
    Python objects, `torch.ops.aten.__class__.mro`.
    """
    import torch

    match = _TENSOR_OPERATOR.fullmatch(target)
    if match is None:
        return _SYMBOLIC_OPERATORS.fullmatch(target) is not None
    library, name, overload = match.groups()
    operator = getattr(getattr(torch.ops, library), name, None)
    return (
        isinstance(operator, torch._ops.OpOverloadPacket)
        and overload in operator.overloads()
        and name != "from_file"
    )


def _is_metadata(value: Any) -> bool:
    """Whether a node's metadata are texts only: stack traces and names, which are not evaluated."""
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_plain_tree(tree: dict[str, Any]) -> bool:
    """Whether the structure of a call's arguments is of tuples, lists and dictionaries only."""
    context = tree["context"]
    return (
        tree["type"] in _CONTAINERS
        and (context is None or re.fullmatch(r'null|\[("\w*"(, )?)*\]', context) is not None)
        and all(map(_is_plain_tree, tree["children_spec"]))
    )
