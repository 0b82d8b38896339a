"""Loading diffusers pipelines from a folder or the hub: only JSON and .safetensors are read.

Nothing is unpickled, and no class is imported by a name in a file: the network is a `UNet2DModel`,
or the pipeline is refused. model_index.json names the class of each part; the files of a part lie
in a folder of its name, or beside model_index.json (older pipelines).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from genmem.errors import InputError, UsageError, os_reason
from genmem.images import hub
from genmem.results import Json
from genmem.training.diffusion.evaluation.diffusers_unet import PipelineDenoiser

INDEX = "model_index.json"
PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
NETWORK = "UNet2DModel"
SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers with DDPM's ᾱ_t, however they sample."""

AUTOENCODERS = ("vae", "vqvae", "vqgan", "movq", "first_stage_model", "autoencoder")
"""Names of the part that decodes latents into pixels."""

WEIGHTS = "diffusion_pytorch_model"


def read_pipeline(
    folder: Path, *, name: str, device: str | torch.device = "cpu"
) -> PipelineDenoiser:
    """Load the denoiser of a pipeline.

    Args:
        folder: with model_index.json.
        name: for messages.
        device: where to put the network.

    Raises:
        InputError: an unsupported pipeline, one that denoises latents, weights that are missing as
            .safetensors or do not fit, or files that cannot be read.
        UsageError: diffusers is not installed.
    """
    check_kind(_json(folder / INDEX, name=name), name=name)
    diffusers = _diffusers()
    scheduler = _part(folder, "scheduler") / "scheduler_config.json"
    config = _json(scheduler, name=name)
    kind = config.get("_class_name")
    if kind not in SCHEDULERS:
        raise InputError(
            f"{name}: expected a scheduler of DDPM's kind (DDPMScheduler, DDIMScheduler, …), got "
            f"{kind}, whose noise schedule is not supported. Wrap the network in a class of your "
            "own with denoise(x, sigma, labels), for evaluate_denoiser in Python."
        )
    with _diffusers_errors(f"{name}: scheduler"):
        # It takes from all these configurations what decides the noise levels.
        ddpm = diffusers.DDPMScheduler.from_config(config)
    network = _network(folder, name=name, diffusers=diffusers).to(device)
    return PipelineDenoiser(network, ddpm)


def fetch_pipeline(model: str) -> Path:
    """Download a pipeline from the hub, or find it in the hub's cache, and return its folder.

    Weights are only downloaded if the pipeline can be evaluated.

    Args:
        model: `hf:OWNER/NAME`.

    Raises:
        InputError: no such model, an unsupported pipeline, or offline and not in the cache.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    repository = model.removeprefix(hub.PREFIX)
    weights = (f"*{WEIGHTS}.safetensors", f"*{WEIGHTS}-*-of-*.safetensors")
    with hub.silence_hub_client():
        offline = hub.find_hub_error() is not None
        try:
            for patterns in (["*.json"], ["*.json", *weights]):
                folder = Path(
                    snapshot_download(repository, allow_patterns=patterns, local_files_only=offline)
                )
                check_kind(_json(folder / INDEX, name=model), name=model)
        except InputError:
            raise
        except RepositoryNotFoundError as error:
            raise InputError(
                f"{model}: not found on the hub, or it requires a login. Check the name, or "
                "set HF_TOKEN."
            ) from error
        except Exception as error:  # of the hub, the HTTP client and the system
            raise InputError(
                f"{model}: the hub cannot be reached, and the model is not in its cache ($HF_HOME) "
                f"({_reason(error)}). Go online once, or give a folder of the pipeline."
            ) from error
    return folder


def check_kind(index: Mapping[str, Json], *, name: str) -> None:
    """Refuse a pipeline that does not denoise pixels, by its model_index.json alone.

    Raises:
        InputError: it denoises latents, or the pipeline or its network is not supported.
    """
    kind = index.get("_class_name")
    latent = [part for part in AUTOENCODERS if _is_present(index.get(part))]
    if latent:
        raise InputError(
            f"{name}: {kind} denoises latents, which its component {latent[0]!r} decodes to "
            "pixels; expected a pipeline that denoises pixels (DDPMPipeline, DDIMPipeline). "
            "Distances between latents are not those between images, and d₁/d₂ < 1/3 is a rule for "
            "pixels. Draw images with the pipeline, and give them to genmem audit."
        )
    if kind not in PIPELINES:
        raise InputError(
            f"{name}: expected one of {', '.join(PIPELINES)}, got {kind}, which is not "
            "supported. Wrap it in a class of your own with denoise(x, sigma, labels), for "
            "evaluate_denoiser in Python."
        )
    network = index.get("unet")
    if not isinstance(network, list) or network[-1:] != [NETWORK]:
        raise InputError(
            f"{name}: expected a pipeline whose unet is a {NETWORK}, got {network!r} in {INDEX}."
        )


def _network(folder: Path, *, name: str, diffusers: Any) -> Any:
    part = _part(folder, "unet")
    config = _json(part / "config.json", name=name)
    if config.get("_class_name", NETWORK) != NETWORK:
        raise InputError(
            f"{name}: expected a {NETWORK}, got {config['_class_name']} in unet/config.json."
        )
    if not any(part.glob(f"{WEIGHTS}*.safetensors")):
        others = sorted(path.name for path in part.glob(f"{WEIGHTS}*"))
        raise InputError(
            f"{name}: expected the weights as {WEIGHTS}.safetensors, found "
            f"{', '.join(others) or 'none'}. Other files can contain programs and are not "
            "opened. The author of the pipeline can save it with safe_serialization=True."
        )
    with _diffusers_errors(f"{name}: unet"):
        network, loaded = diffusers.UNet2DModel.from_pretrained(
            part,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            torch_dtype=torch.float32,
            output_loading_info=True,
        )
    wrong = [*loaded["missing_keys"], *loaded["unexpected_keys"], *loaded["mismatched_keys"]]
    if wrong or loaded["error_msgs"]:
        raise InputError(
            f"{name}: unet: the weights do not match config.json: "
            f"{wrong[0] if wrong else loaded['error_msgs'][0]} is missing, unexpected or has "
            "another shape."
        )
    return network


def _diffusers() -> Any:
    try:
        import diffusers
    except ImportError as error:
        raise UsageError(
            "a pipeline of diffusers needs diffusers: pip install 'genmem[diffusers]'."
        ) from error
    return diffusers


@contextmanager
def _diffusers_errors(what: str) -> Iterator[None]:
    """Silence diffusers, and raise its errors on invalid files as InputError."""
    logger = logging.getLogger("diffusers")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    except Exception as error:  # KeyError, TypeError, RuntimeError, SafetensorError, OSError …
        raise InputError(
            f"{what}: cannot be read: {_reason(error)}. Expected files as diffusers saves them."
        ) from error
    finally:
        logger.setLevel(level)


def _part(folder: Path, name: str) -> Path:
    return folder / name if (folder / name).is_dir() else folder


def _is_present(part: Json) -> bool:
    """Whether model_index.json has a part; [null, null] stands for none."""
    return isinstance(part, list) and any(name is not None for name in part)


def _json(path: Path, *, name: str) -> dict[str, Json]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{name}: expected {path.name} in the pipeline's folder; it cannot be read: "
            f"{os_reason(error)}."
        ) from error
    except ValueError as error:
        raise InputError(f"{name}: {path.name} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise InputError(f"{name}: {path.name}: expected a JSON object, got another value.")
    return document


def _reason(error: Exception) -> str:
    """The error on one line, shortened."""
    words = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {words if len(words) <= 200 else words[:200] + ' …'}"
