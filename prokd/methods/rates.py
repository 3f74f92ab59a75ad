"""Learning rates that suit an encoder of another width than the preset's own."""

from __future__ import annotations

from collections.abc import Callable, Collection

from prokd.config import ExperimentConfig, with_overrides
from prokd.config.presets import WIDTHS
from prokd.methods import graph_of

EXPONENT = 2.2
"""Of the ratio of widths: 1e-3 at 192, 2.2e-4 at 384 and 4.7e-5 at 768 lie on one line."""


def suited_rate(rate: float, width: int, known: int) -> float:
    r"""Return a learning rate for one width from that for another: :math:`r (k / w)^{2.2}`.

    Narrow encoders want higher rates: those of 384 (MiniLM, e5-small) 2e-4 to 5e-4, those of 768
    (BERT-base) 2e-5 to 5e-5, and the embedded one of 192 1e-3.

    Args:
        rate: What suits an encoder of the known width.
        width: Of the encoder at hand, in features.
        known: The known width.

    Example:
        >>> suited_rate(1e-3, 384, 192)
        0.00022
    """
    return float(f"{rate * (known / width) ** EXPONENT:.2g}")


def with_suited_rates(
    config: ExperimentConfig,
    preset: str,
    given: Collection[str],
    say: Callable[[str], object],
) -> ExperimentConfig:
    """Fit learning rates to an encoder that is not the preset's own.

    The preset ``paper`` keeps the paper's rates whatever the encoder.

    Args:
        config: The experiment.
        preset: That it was built from.
        given: Settings that a person has chosen: they stay.
        say: Tells a person in a sentence which rates were changed, if any was.

    Raises:
        UserError: The encoder is not there, or says nothing of its width.
    """
    known = WIDTHS.get(preset)
    if known is None or "encoder.name" not in given:
        return config
    from prokd.encoder.files import encoder_settings

    width = getattr(encoder_settings(config.encoder.name), "hidden_size", None)
    if not width or width == known:
        return config
    changes = {}
    for spec in graph_of(config).stages:
        path = f"{spec.section}.learning_rate"
        if path not in given:
            changes[path] = suited_rate(spec.settings(config).learning_rate, width, known)
    if changes:
        told = ", ".join(f"{path}={rate:g}" for path, rate in changes.items())
        say(
            f"the encoder is {width} wide, the preset {preset} is for {known}: {told} (--set "
            f"changes them)"
        )
    return with_overrides(config, changes)
