"""What a training run is made of: the papers' settings by model, and everything that may differ.

CIFAR-10 settings are those of "Reducing Training Sample Memorization in GANs by Training with
Memorization Rejection" (arXiv 2210.12231); other sizes follow `residual.up_plan`.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from genmem.errors import UsageError
from genmem.results import Json, to_json
from genmem.training.common.config import check_kind, kinds_of
from genmem.training.rejection.search import check_search

OF_REJECTION = (
    "mode",
    "embedding",
    "search",
    "half",
    "max_tries",
    "warm_up",
    "ramp",
    "reject_flips",
    "reject_by_class",
)
OF_MEASURING = ("test", "measure_images", "measure_with", "measure_every")


def check_used(
    settings: Settings, options: Mapping[str, Json], config: Collection[str] = ()
) -> None:
    """Refuse what was asked for of a rejection or a measurement that there is none of.

    A configuration that itself says whether there is one (every run's config.json does) may say
    the rest too.

    Args:
        settings: what came of it.
        options: given with the command, by the settings' names.
        config: names of the settings in a configuration file.

    Raises:
        UsageError: a setting that would do nothing.
    """
    given = set(options)
    if settings.tau is None:
        asked = given | (set() if "tau" in config else set(config))
        for name in OF_REJECTION:
            if name in asked:
                raise UsageError(
                    f"{_named(name, given)}: nothing is rejected without a tau. Give --tau (auto, "
                    "or a distance) too, or leave it out."
                )
    if settings.measure_every and settings.measure_with:
        return
    switches = {"measure_every", "measure_with"}
    why = "measure_every is 0" if not settings.measure_every else "measure_with names no backbone"
    for name in OF_MEASURING:
        if name in given and (name not in switches or options[name]):
            raise UsageError(
                f"{_named(name, given)}: nothing is measured, for {why}. Change that, or leave it "
                "out."
            )


def _named(name: str, options: Collection[str]) -> str:
    """As whoever gave it calls it."""
    return f"--{name.replace('_', '-')}" if name in options else f"{name} (in --config)"


Model = Literal["dcgan", "sagan", "biggan"]

MODELS: tuple[str, ...] = ("dcgan", "sagan", "biggan")
SIZES = (16, 32, 64)
PRECISIONS = ("full", "bf16", "fp16")
LARGEST_SEED = 2**32 - 1
LARGEST_BATCH = 16_384
"""Eight times the largest of BigGAN's own; a slip of the keyboard is to be an error at once."""
CHUNK = 20
"""Numbers of z that BigGAN's first layer and each of its blocks take."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One training run. `make_settings` fills in what the model decides.

    Attributes:
        model: "dcgan" (knows no classes), "sagan" or "biggan".
        data: the training images; first-level folders are their classes.
        test: held-out images, for C_T; None leaves C_T out.
        size: side of the images in pixels; they are cropped to a square and resized to it.
        limit: use so many training images, evenly of all classes; None: all.
        width, discriminator_width: channels (of the narrowest block at 64 × 64).
        z: numbers of noise an image.
        attention: self-attention at half the image's side (not in dcgan).
        batch: images a step, of all processes together.
        discriminator_steps: steps of the discriminator for each of the generator.
        steps: generator steps.
        learning_rate, beta1, beta2, adam_eps: Adam's, of both networks.
        average_decay: of the moving average of the generator that samples are drawn from, begun at
            step `average_from`; 0: none, samples come from the generator itself.
        flips: half of the real images are mirrored.
        augment: DiffAugment on real and generated images.
        precision: "full", or "bf16" or "fp16" for mixed precision on a GPU.
        seed: of everything random.
        tau: memorization rejection: a distance in `embedding`, "auto", or None for none.
        mode, embedding, search, half, max_tries, warm_up: see `MemorizationRejection`.
        ramp: steps over which τ rises to its value after the warm-up.
        reject_flips: flipped training images count as training images too.
        reject_by_class: search among the training images of the generated image's class only.
        log_every, save_every, sample_every, measure_every: steps between, and at the end; 0: never
            (a finished or interrupted run is saved nevertheless).
        measure_images: generated images that are measured.
        measure_with: the backbones they are measured in, each giving FD and so on.
    """

    model: str
    data: str
    width: int
    discriminator_width: int
    z: int
    test: str | None = None
    size: int = 32
    limit: int | None = None
    attention: bool = True
    batch: int = 64
    discriminator_steps: int = 5
    steps: int = 100_000
    learning_rate: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    adam_eps: float = 1e-6
    average_decay: float = 0.0
    average_from: int = 1_000
    flips: bool = True
    augment: bool = False
    precision: str = "full"
    seed: int = 0
    tau: float | str | None = None
    mode: str = "filter"
    embedding: str = "efficientnet-lite0"
    search: str = "auto"
    half: bool = False
    max_tries: int = 20
    warm_up: int = 0
    ramp: int = 0
    reject_flips: bool = False
    reject_by_class: bool = False
    log_every: int = 50
    save_every: int = 1_000
    sample_every: int = 1_000
    measure_every: int = 5_000
    measure_images: int = 10_000
    measure_with: tuple[str, ...] = ("efficientnet-lite0",)

    def to_dict(self) -> dict[str, Json]:
        """The settings as plain JSON."""
        return to_json({**asdict(self), "measure_with": list(self.measure_with)})


MAY_CHANGE = (
    "data",
    "test",
    "steps",
    "log_every",
    "save_every",
    "sample_every",
    "measure_every",
    "measure_images",
    "measure_with",
)
"""Settings that a resumed run may have otherwise: its training goes on the same (the images are
compared by content)."""


def model_settings(model: str, size: int) -> dict[str, Json]:
    """What the model decides at this size of image.

    Raises:
        UsageError: unknown model or size.
    """
    if model not in MODELS:
        raise UsageError(f"model: expected one of {', '.join(MODELS)}, got {model!r}.")
    if size not in SIZES:
        raise UsageError(f"size: expected one of {', '.join(map(str, SIZES))}, got {size}.")
    width = {"dcgan": 64, "sagan": 256, "biggan": 384}[model] if size <= 32 else 64
    if model == "dcgan":
        return {"width": width, "discriminator_width": width, "z": 128, "attention": False}
    found = {"width": width, "discriminator_width": width // 2, "z": 128}
    if size > 32:
        found["discriminator_width"] = width
    if model == "sagan":
        return found
    return found | {
        "z": CHUNK * (size.bit_length() - 2),  # 4 chunks at 32 × 32
        "average_decay": 0.9999,
    }


def make_settings(given: Mapping[str, Json]) -> Settings:
    """Settings from what was given by name; the model decides what was not.

    Raises:
        UsageError: an unknown name, a value of the wrong kind or out of range, or no model or data.
    """
    known = kinds_of(Settings)
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"settings: there is no setting {name!r}{hint}")
        plain = tuple(value) if isinstance(value, list) else value
        check_kind(f"settings: {name}", plain, known[name])
    for name in ("model", "data"):
        if given.get(name) is None:
            raise UsageError(f"settings: {name} is missing; give --{name} or name it in --config.")
    values = dict(given)
    decided = model_settings(values["model"], values.get("size", 32))
    if "width" in values and "discriminator_width" not in values:
        scale = decided["discriminator_width"] / decided["width"]
        decided["discriminator_width"] = max(1, round(values["width"] * scale))
    values = decided | values
    if "measure_with" in values:
        values["measure_with"] = tuple(values["measure_with"])
    settings = Settings(**values)
    _check_ranges(settings)
    return settings


def _check_ranges(settings: Settings) -> None:
    least = {
        "width": 1,
        "discriminator_width": 1,
        "z": 1,
        "batch": 2,
        "discriminator_steps": 1,
        "steps": 1,
        "seed": 0,
        "measure_images": 2,
        "max_tries": 1,
    }
    zero = ("average_from", "warm_up", "ramp", "log_every", "save_every", "sample_every")
    for name, bound in least.items() | dict.fromkeys((*zero, "measure_every"), 0).items():
        if getattr(settings, name) < bound:
            raise UsageError(f"{name}: expected at least {bound}, got {getattr(settings, name)}.")
    for name, bound in (("seed", LARGEST_SEED), ("batch", LARGEST_BATCH)):
        if getattr(settings, name) > bound:
            raise UsageError(
                f"{name}: expected at most {bound:,}, got {getattr(settings, name):,}."
            )
    if settings.limit is not None and settings.limit < 2:
        raise UsageError(f"limit: expected at least 2 images, got {settings.limit}.")
    for name in ("learning_rate", "adam_eps"):
        if not 0 < getattr(settings, name) < 1:
            raise UsageError(f"{name}: expected in (0, 1), got {getattr(settings, name)}.")
    for name in ("beta1", "beta2", "average_decay"):
        if not 0 <= getattr(settings, name) < 1:
            raise UsageError(f"{name}: expected in [0, 1), got {getattr(settings, name)}.")
    for name, allowed in (("precision", PRECISIONS), ("mode", ("filter", "resample"))):
        if getattr(settings, name) not in allowed:
            raise UsageError(
                f"{name}: expected one of {', '.join(allowed)}, got {getattr(settings, name)!r}."
            )
    check_search(settings.search, by_class=settings.tau is not None and settings.reject_by_class)
    if len(set(settings.measure_with)) < len(settings.measure_with):
        raise UsageError("measure_with: a backbone is named twice.")
    tau = settings.tau
    if isinstance(tau, str) and tau != "auto":
        raise UsageError(f"tau: expected 'auto' or a distance in [0, 2], got {tau!r}.")
    if isinstance(tau, int | float) and not 0 <= tau <= 2:
        raise UsageError(f"tau: expected 'auto' or a distance in [0, 2], got {tau}.")


def changed(settings: Settings, given: Mapping[str, Json]) -> Settings:
    """The settings of a run that is resumed, with what may change as given now.

    Raises:
        UsageError: something given would make it another training.
    """
    old = settings.to_dict()
    for name, value in given.items():
        value = list(value) if isinstance(value, tuple) else value
        if name in old and name not in MAY_CHANGE and old[name] != value:
            raise UsageError(
                f"--resume goes on with {name} = {old[name]!r}, got {value!r}. Leave it out, or "
                "start another run in another folder."
            )
    whole = make_settings(old | dict(given))
    return replace(whole, measure_with=tuple(whole.measure_with))


def fixed(settings: Mapping[str, Any]) -> dict[str, Json]:
    """The settings that decide the training, to compare a checkpoint with a run."""
    return {name: value for name, value in settings.items() if name not in MAY_CHANGE}
