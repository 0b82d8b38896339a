"""Settings that were asked for and would do nothing: an error, before anybody waits for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from genmem.errors import UsageError
from genmem.results import Json
from genmem.training.gan.settings import Settings

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
