"""A CUDA or MPS device without one: what code would do there, found out on the CPU.

`EmulatedDevice` is a mode under which tensors report another device. Computations run on the CPU,
but mixing devices, NumPy views of the device's memory, and float64 on MPS are refused as they would
be there, and whatever makes the host wait for the device is counted. `EmulatedTf32` rounds the
factors of products as a GPU does where a program allowed TF32.
"""

from collections import Counter
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

WAITS = {"item", "tolist", "__bool__", "__float__", "__int__", "__index__", "__contains__"}
"""They read a value of the device."""

WAITS_FOR_SIZE = {"nonzero", "argwhere", "unique", "_unique2", "masked_select", "bincount"}
"""The size of their result is known only when they are done."""

NUMPY_VIEWS = {"numpy", "__array__"}

INDEXING = {"__getitem__", "__setitem__"}

IN_PLACE = {"__iadd__", "__isub__", "__imul__", "__itruediv__", "__iand__", "__ior__"}

TRANSFERS = {"to", "copy_", "cpu", "as_tensor", "tensor", "type_as"}


class DeviceTensor(torch.Tensor):
    """A tensor on the CPU that a mode reports as one of another device."""

    def as_subclass(self, cls):
        """Itself: as a plain tensor it would lie on the CPU."""
        return self


class EmulatedDevice(TorchFunctionMode):
    """While it is active, `device` is there.

    Attributes:
        waits: how often the host waited for the device, by the function that made it wait.
    """

    def __init__(self, kind, *, free=0):
        """Take "cuda" or "mps", and the bytes that are free there."""
        super().__init__()
        self.device = torch.device(kind, 0)
        self.waits = Counter()
        self._memory = mock.patch("torch.cuda.mem_get_info", return_value=(free, 2 * free))

    def __enter__(self):
        self._memory.start()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._memory.stop()

    def put(self, value):
        """A tensor, or NumPy array, on the device."""
        tensor = torch.as_tensor(value)
        if self.device.type == "mps" and tensor.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype.")
        return tensor.as_subclass(DeviceTensor)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.device:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        first = args[0] if args else None
        on_device = [isinstance(leaf, DeviceTensor) for leaf in tree_leaves((args, kwargs))]
        if name == "__get__" and getattr(func, "__self__", None) is torch.Tensor.device:
            return self.device if any(on_device) else torch.device("cpu")
        target = self._target(name, args, kwargs)
        if any(on_device):
            self._check(name, args, kwargs, target)
            if name in WAITS | WAITS_FOR_SIZE or self._is_mask(name, args):
                self.waits[name] += 1
            if target is not None and target.type == "cpu":
                self.waits["to cpu"] += 1
        stays = target.type == self.device.type if target is not None else any(on_device)
        with torch._C.DisableTorchFunctionSubclass():
            plain_args, plain_kwargs = tree_map(self._plain, (args, kwargs))
            result = func(*plain_args, **plain_kwargs)
            if name in IN_PLACE or (name.endswith("_") and not name.endswith("__")):
                return first if isinstance(first, torch.Tensor) else result
            return tree_map(self._put_result, result) if stays else result

    def _target(self, name, args, kwargs):
        """The device that a call names, if it names one."""
        if name == "cpu":
            return torch.device("cpu")
        named = [kwargs.get("device"), *(args[1:] if name == "to" else ())]
        for value in named:
            if isinstance(value, DeviceTensor):
                return self.device
            if isinstance(value, torch.device) or (isinstance(value, str) and name != "einsum"):
                return torch.device(value)
        return None

    def _check(self, name, args, kwargs, target):
        if name in NUMPY_VIEWS:
            raise TypeError(f"can't convert {self.device} device type tensor to numpy.")
        if name in TRANSFERS:
            return
        operands = (args, kwargs)
        if name in INDEXING and isinstance(args[0], DeviceTensor):
            operands = (args[0], args[2:])  # an index may lie on the CPU
        for leaf in tree_leaves(operands):
            ordinary = isinstance(leaf, torch.Tensor) and not isinstance(leaf, DeviceTensor)
            if ordinary and torch._C.TensorBase.dim(leaf) > 0:
                raise RuntimeError(
                    f"{name}: expected all tensors to be on one device, got {self.device} and cpu"
                )

    def _is_mask(self, name, args):
        return name in INDEXING and any(
            isinstance(leaf, DeviceTensor) and leaf.dtype == torch.bool
            for leaf in tree_leaves(args[1])
        )

    def _plain(self, value):
        if isinstance(value, DeviceTensor):
            return torch.Tensor.as_subclass(value, torch.Tensor)
        is_device = isinstance(value, torch.device) or (
            isinstance(value, str) and value.split(":")[0] == self.device.type
        )
        return torch.device("cpu") if is_device else value

    def _put_result(self, value):
        return self.put(value) if isinstance(value, torch.Tensor) else value


class EmulatedTf32(TorchDispatchMode):
    """A program that allows CUDA TF32; products of float32 are in TF32 while its setting holds.

    Attributes:
        products: how many float32 products there were, by their precision.
    """

    def __init__(self):
        super().__init__()
        self.products = Counter()
        self._matmul = torch.backends.cuda.matmul

    def __enter__(self):
        self._before, self._matmul.fp32_precision = self._matmul.fp32_precision, "tf32"
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._matmul.fp32_precision = self._before

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ in ("mm", "bmm", "addmm", "addmm_", "baddbmm", "addmv"):
            precision = self._matmul.fp32_precision
            if args[-1].dtype == torch.float32:
                self.products[precision] += 1
                if precision == "tf32":
                    args = (*args[:-2], _tf32(args[-2]), _tf32(args[-1]))
        return func(*args, **(kwargs or {}))


def _tf32(values):
    """Rounded to the 10 bits after the point that TF32 has."""
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((mantissa * 2**11).round() / 2**11, exponent)
