import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from genmem.errors import InputError, UsageError
from genmem.io import atomic
from genmem.training.common import checkpoint
from genmem.training.common.checkpoint import (
    load_checkpoint,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from genmem.training.common.ema import Ema, update_average
from genmem.training.common.run_log import RunLog, read_log


def stepped(seed=0):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    return module, optimizer


def test_module_and_optimizer_come_back_to_the_last_bit(tmp_path):
    module, optimizer = stepped()
    tensors = {**module_tensors("model", module), **optimizer_tensors("adam", optimizer)}
    save_checkpoint(tmp_path / "a.safetensors", kind="x", tensors=tensors, state={"step": 7})
    other, its = stepped(seed=1)
    found = load_checkpoint(tmp_path / "a.safetensors", kind="x")
    load_module(other, "model", found)
    load_optimizer(its, "adam", found)
    assert found.state == {"step": 7}
    x = torch.randn(5, 3)
    for one, its_own in ((module, optimizer), (other, its)):
        its_own.zero_grad()
        one(x).square().sum().backward()
        its_own.step()
    for a, b in zip(module.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_kind_model_or_version_is_refused(tmp_path):
    module, _ = stepped()
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, kind="gan", tensors=module_tensors("model", module), state={})
    with pytest.raises(InputError, match="expected a diffusion checkpoint, got a 'gan' one"):
        load_checkpoint(path, kind="diffusion")
    with pytest.raises(InputError, match="does not match the model"):
        load_module(torch.nn.Linear(3, 4), "model", load_checkpoint(path, kind="gan"))
    save_file({"a": torch.zeros(1)}, path, {"genmem": json.dumps({"format": "0"})})
    with pytest.raises(InputError, match="Use the version that wrote it"):
        load_checkpoint(path, kind="gan")
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="no genmem checkpoint"):
        load_checkpoint(path, kind="gan")


def test_a_checkpoint_that_is_missing_or_cut_short_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match=r"a\.safetensors: cannot read"):
        load_checkpoint(path, kind="x")
    save_checkpoint(path, kind="x", tensors={"a": torch.zeros(100)}, state={})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="truncated"):
        load_checkpoint(path, kind="x")


def test_a_damaged_byte_of_tensors_or_state_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    module, optimizer = stepped()
    tensors = {**module_tensors("model", module), **optimizer_tensors("adam", optimizer)}
    save_checkpoint(path, kind="x", tensors=tensors, state={"step": 1234})
    whole = path.read_bytes()
    assert load_checkpoint(path, kind="x").state == {"step": 1234}
    for damaged in (
        whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:],
        whole.replace(b"1234", b"1235"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.safetensors: the checkpoint is damaged"):
            load_checkpoint(path, kind="x")


def test_a_checkpoint_without_a_checksum_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    header = {"format": checkpoint.FORMAT, "kind": "x", "state": {"step": 7}}
    save_file({"a": torch.ones(2)}, path, {"genmem": json.dumps(header)})
    with pytest.raises(InputError, match="the checkpoint is damaged"):
        load_checkpoint(path, kind="x")


@pytest.mark.parametrize("wrong", [{"kind": None}, {"state": None}, {"state": [1]}])
def test_a_header_without_kind_or_state_is_refused(tmp_path, wrong):
    path = tmp_path / "a.safetensors"
    header = {"format": checkpoint.FORMAT, "kind": "x", "state": {}} | wrong
    header = {name: value for name, value in header.items() if (name, value) != ("kind", None)}
    save_file({"a": torch.ones(2)}, path, {"genmem": json.dumps(header)})
    with pytest.raises(InputError, match=r"a\.safetensors"):
        load_checkpoint(path, kind="x")


@pytest.mark.parametrize(
    "name", ["adam.first.step", "adam.0", "adam.99.step", "adam.0.exp_avg", "adam.0.momentum"]
)
def test_an_optimizer_with_an_odd_key_or_shape_is_refused(tmp_path, name):
    module, optimizer = stepped()
    tensors = optimizer_tensors("adam", optimizer) | {name: torch.zeros(1)}
    save_checkpoint(tmp_path / "a.safetensors", kind="x", tensors=tensors, state={})
    found = load_checkpoint(tmp_path / "a.safetensors", kind="x")
    with pytest.raises(InputError, match=r"a\.safetensors"):
        load_optimizer(torch.optim.Adam(module.parameters()), "adam", found)


def test_equal_states_give_equal_files(tmp_path):
    for name in "ab":
        tensors = {"b": torch.ones(2), "a": torch.zeros(3)}
        if name == "b":
            tensors = dict(reversed(tensors.items()))
        state = {"step": 1, "settings": {"z": 8}}
        save_checkpoint(tmp_path / name, kind="x", tensors=tensors, state=state)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    save_checkpoint(path, kind="x", tensors={"a": torch.zeros(3)}, state={"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(UsageError, match="no space left on device"):
        save_checkpoint(path, kind="x", tensors={"a": torch.ones(3)}, state={"step": 2})
    assert load_checkpoint(path, kind="x").state == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_average_follows_its_formula_and_copies_buffers():
    module, _ = stepped()
    ema = Ema(module, 0.9)
    before = module[0].weight.detach().clone()
    module[0].weight.data += 1.0
    module[1].running_mean += 5.0
    ema.update(module)
    assert torch.allclose(ema.module[0].weight, 0.9 * before + 0.1 * (before + 1.0))
    assert torch.equal(ema.module[1].running_mean, module[1].running_mean)
    update_average(ema.module, module, decay=0.0)
    assert torch.equal(ema.module[0].weight, module[0].weight)
    assert not ema.module.training
    with pytest.raises(UsageError, match="decay in"):
        Ema(module, 1.0)


def test_a_resumed_log_drops_the_steps_that_are_taken_again(tmp_path):
    log = RunLog(tmp_path / "log.jsonl")
    for step in (1, 2, 3):
        log.write(step, loss=np.float64(step / 2))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2, 3]
    RunLog(tmp_path / "log.jsonl", resumed_at=2).write(3, loss=9.0)
    assert read_log(tmp_path / "log.jsonl") == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "loss": 1.0},
        {"step": 3, "loss": 9.0},
    ]


def test_lines_that_are_none_of_a_log_are_passed_over(tmp_path):
    path = tmp_path / "log.jsonl"
    strange = [b"\xff\xfe", b"[1]", b"null", b'{"loss": 1}', b'{"step": "2"}', b"[" * 100_000]
    path.write_bytes(b"\n".join([b'{"step": 1}', *strange, b'{"step": 2, "loss": 0.5}']))
    assert read_log(path) == [{"step": 1}, {"step": 2, "loss": 0.5}]
    RunLog(path, resumed_at=1).write(2, loss=1.0)
    assert read_log(path) == [{"step": 1}, {"step": 2, "loss": 1.0}]
