"""Files of torch.export: none runs code, and what is wrong with one is said in a line."""

import io
import json
import pickle
import re
import zipfile

import pytest
import torch

import genmem
from genmem.errors import GenmemError, InputError

from .networks import Bomb, rows_of, save_exported, small_network


def test_images_that_an_exported_program_does_not_take_are_one_line(tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2", size=(12, 12))
    with pytest.raises(InputError, match=r"failed on images \[12, 3, 20, 24\] of float32 .*Check"):
        rows_of(genmem.custom_backbone(path, preprocess="imagenet"), noise)


def rewrite(path, change):
    """Change the files of an exported program: `change` gets and edits name → bytes."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(files)).partition("/")[0]
    change(files, root)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pickled_weight(files, root, bomb):
    name = f"{root}/data/weights/model_weights_config.json"
    config = json.loads(files[name])
    weight = config["config"]["0.weight"]
    weight["use_pickle"] = True
    buffer = io.BytesIO()
    torch.save(bomb, buffer)
    files[f"{root}/data/weights/{weight['path_name']}"] = buffer.getvalue()
    files[name] = json.dumps(config).encode()


def opaque_constant(files, root, bomb):
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    config = {"config": {"x": {**entry, "tensor_meta": None}}}
    files[f"{root}/data/constants/model_constants_config.json"] = json.dumps(config).encode()
    files[f"{root}/data/constants/opaque_obj_0"] = pickle.dumps(bomb)


def pickled_inputs(files, root, bomb):
    buffer = io.BytesIO()
    torch.save(bomb, buffer)
    files[f"{root}/data/sample_inputs/model.pt"] = buffer.getvalue()


def legacy_weights(files, root, bomb):
    files[f"{root}/data/weights/model.pt"] = pickle.dumps(bomb)


def compiled_library(files, root, bomb):
    files[f"{root}/data/aotinductor/model/model.so"] = b"\x7fELF"


def edit_program(files, root, change):
    program = json.loads(files[f"{root}/models/model.json"])
    change(program)
    files[f"{root}/models/model.json"] = json.dumps(program).encode()


def expression(files, root, bomb):
    text = json.dumps(f"__import__('pathlib').Path({str(bomb.folder / 'executed')!r}).touch()")
    name = f"{root}/models/model.json"
    symbol = json.dumps("Symbol('s").strip('"').encode()
    start = files[name].index(b'"expr_str": "' + symbol) + len(b'"expr_str": ')
    end = files[name].index(b'"', start + 1) + 1
    files[name] = files[name][:start] + text.encode() + files[name][end:]


def system_call(files, root, bomb):
    def change(program):
        node = program["graph_module"]["graph"]["nodes"][0]
        node["target"] = "torch.os.system"

    edit_program(files, root, change)


def guard(files, root, bomb):
    edit_program(files, root, lambda program: program.update(guards_code=["exit()"]))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (pickled_weight, "a tensor in it is pickled"),
        (opaque_constant, "is not a part of one"),
        (pickled_inputs, "its example inputs are not plain tensors"),
        (legacy_weights, "is not a part of one"),
        (compiled_library, "is not a part of one"),
        (expression, "its expr_str holds"),
        (system_call, r"its target holds 'torch\.os\.system'"),
        (guard, "it checks its input by Python code"),
    ],
)
def test_an_exported_program_that_would_run_code_is_refused(tmp_path, noise, change, problem):
    path = save_exported(small_network(), tmp_path / "net.pt2")
    rewrite(path, lambda files, root: change(files, root, Bomb(tmp_path)))
    backbone = genmem.custom_backbone(path, preprocess="imagenet")
    with pytest.raises(InputError, match=problem):
        rows_of(backbone, noise)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.ops.aten.__class__.mro",
        "torch.ops.aten.__dict__.get",
        "torch.ops.aten.add.__class__",
        "torch.ops.aten.add.op",
        "torch.ops.aten._dir.append",
        "torch.ops.aten.from_file.default",
        "torch.ops.load_library",
        "torch.ops.aten.no_such_operator.default",
        "torch.sym___class__",
        "torch.sym_int.__globals__",
        "torch.sym_fresh_size",
        "math.__loader__",
        "math.factorial",
        "_operator.attrgetter",
        "_operator.methodcaller",
    ],
)
def test_a_node_may_only_call_operators(target, tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2")

    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    rewrite(path, lambda files, root: edit_program(files, root, change))
    with pytest.raises(InputError, match=rf"its target holds '{re.escape(target)}'"):
        rows_of(genmem.custom_backbone(path, preprocess="imagenet"), noise)


def test_a_damaged_program_is_one_line(tmp_path, noise):
    path = save_exported(small_network(), tmp_path / "net.pt2")
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole.replace(b'"graph"', b'"grxph"'), b"PK\x05\x06"):
        path.write_bytes(content)
        with pytest.raises(GenmemError, match=r"net\.pt2: "):
            rows_of(path, noise)
