"""What an ablation compares: named variants of methods, seeds, and the published figures.

A spec is a YAML file. Each variant is a set of a method's components taken away, any subset, and
of settings changed by dotted path; nothing of the methods' code knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from prokd.common.names import ending
from prokd.config import ExperimentConfig, parse_override, validation_sentence, with_overrides
from prokd.config.yaml_files import read_mapping
from prokd.errors import UserError
from prokd.methods import DEFAULT, build_config, in_method, without_components
from prokd.runs.effect import check_effect

SPECS_DIR = Path(__file__).resolve().parent / "specs"
"""Folder of the specs that come with the project."""

Settings = Mapping[str, Any]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Variant(_Frozen):
    """One named alternative: what is taken away and what is set."""

    method: str | None = Field(None, description="another method than the spec's")
    without: list[str] = Field(
        default_factory=list, description="names of the method's components that are removed"
    )
    settings: dict[str, Any] = Field(
        default_factory=dict, alias="set", description="values by dotted path"
    )

    @field_validator("settings", mode="after")
    @classmethod
    def _numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _with_numbers(value)

    def overrides(self, method: str) -> dict[str, Any]:
        """Return the settings that make this variant, components first.

        Args:
            method: Of the spec.

        Raises:
            UserError: An unknown method or component.
        """
        return without_components(self.without, method=self.method or method) | self.settings

    def config(self, base: ExperimentConfig) -> ExperimentConfig:
        """Return the configuration of this variant: the method, components, then settings.

        Args:
            base: The spec's settings; another method has what both have.

        Raises:
            UserError: An unknown method, component or setting, or a bad value.
        """
        own = in_method(base, self.method or base.method)
        return with_overrides(own, self.overrides(base.method))


class AblationSpec(_Frozen):
    """A table of a paper, or of one's own: variants x seeds, and what it is to show."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="names the report files"
    )
    title: str
    claim: str = Field(description="what the numbers are to show, in one or two sentences")
    method: str = Field(DEFAULT, description="name of the method whose variants they are")
    preset: Literal["paper", "fast", "mini"] | None = Field(
        None, description="used unless the command line names another"
    )
    reading: str | None = Field(None, description="used unless the command line names another")
    base: dict[str, Any] = Field(
        default_factory=dict, description="settings of all variants, by dotted path"
    )
    variants: dict[str, Variant] = Field(min_length=2, description="in the order of the table")
    reference: str = Field("full", description="the variant that the others are compared with")
    baseline: str | None = Field(None, description="the variant that is not the method itself")
    seeds: list[Seed] = Field([0, 1, 2], min_length=1)
    paper: dict[str, dict[str, dict[str, Percent]]] = Field(
        default_factory=dict,
        description="published F1 in percent: dataset, language (or average), variant",
    )
    paper_measure: Literal["token_f1", "entity_f1"] = Field(
        "token_f1", description="which F1 the published figures are"
    )

    @field_validator("variants", mode="before")
    @classmethod
    def _empty(cls, value: Any) -> Any:
        """Read ``full:`` with nothing behind it as a variant that changes nothing."""
        if not isinstance(value, dict):
            return value
        for name in value:
            is_plain = isinstance(name, str) and name.strip() and name.isprintable()
            if isinstance(name, str) and (not is_plain or set(name) & set("|<>*`\\")):
                rule = "a variant must have a name of one line without | < > * ` and \\"
                raise UserError(f"{rule}, but got {name!r}.")
        return {name: {} if variant is None else variant for name, variant in value.items()}

    @field_validator("base", mode="after")
    @classmethod
    def _numbers(cls, value: dict[str, Any]) -> dict[str, Any]:
        return _with_numbers(value)

    def config(self, base: ExperimentConfig, variant: str) -> ExperimentConfig:
        """Return the configuration of a variant.

        Args:
            base: The method's settings, `base` of this spec among them.
            variant: Its name.
        """
        return self.variants[variant].config(base)

    def compared(self) -> list[str]:
        """Return the variants other than the reference, in order."""
        return [name for name in self.variants if name != self.reference]


def spec_path(name: str) -> Path:
    """Find the file of a spec.

    Args:
        name: Name of one that comes with the project (``table4``), or the path of a YAML file.

    Raises:
        UserError: There is no such spec.
    """
    known = {path.stem: path for path in sorted(SPECS_DIR.glob("*.yaml"))}
    if name in known:
        return known[name]
    path = Path(name)
    if not path.is_file():
        raise UserError(
            f"a spec must be one of {', '.join(known)} or the path of a YAML file, "
            f"{ending(name, known)}"
        )
    return path


def load_spec(name: str) -> AblationSpec:
    """Read and check a spec: every variant must be a valid configuration.

    Args:
        name: As `spec_path` takes it.

    Raises:
        UserError: No such file, bad YAML, an unknown field, component or setting, a bad value.
    """
    path = spec_path(name)
    tree = read_mapping(path, "name, title, claim, variants")
    try:
        spec = AblationSpec.model_validate(tree)
        _check(spec)
    except ValidationError as error:
        raise UserError(f"{path}: {validation_sentence(error)}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return spec


def _check(spec: AblationSpec) -> None:
    """Raise UserError where parts of a spec do not fit each other or the settings."""
    _check_names(spec)
    _check_settings(spec)
    if len(set(spec.seeds)) != len(spec.seeds):
        raise UserError(f"seeds must differ from each other, but got {spec.seeds}.")


def _check_names(spec: AblationSpec) -> None:
    used = {"reference": spec.reference}
    if spec.baseline is not None:
        used["baseline"] = spec.baseline
    for dataset, languages in spec.paper.items():
        for language, figures in languages.items():
            used |= {f"paper.{dataset}.{language}.{name}": name for name in figures}
    for place, name in used.items():
        if name not in spec.variants:
            names = ", ".join(spec.variants)
            raise UserError(f"{place} must name one of the variants ({names}), but got {name!r}.")


def _check_settings(spec: AblationSpec) -> None:
    places = {"base": spec.base}
    places |= {f"variants.{name}.set": variant.settings for name, variant in spec.variants.items()}
    for place, settings in places.items():
        if taken := {"seed", "target"} & set(settings):
            raise UserError(
                f"{place} must leave seed and target to `seeds` and --lang, "
                f"but sets {', '.join(sorted(taken))}."
            )
    base = _base(spec)
    check_effect(base, spec.base, "base: ")
    for name, variant in spec.variants.items():
        try:
            config = spec.config(base, name)
        except UserError as error:
            raise UserError(f"variants.{name}: {error}") from None
        check_effect(config, variant.settings, f"variants.{name}.set: ")


def _base(spec: AblationSpec) -> ExperimentConfig:
    """Build a spec's own configuration; a UserError names the field that is wrong."""
    fields: list[tuple[str, str | None, dict[str, Any]]] = [
        ("method", None, {}),
        ("reading", spec.reading, {}),
        ("base", spec.reading, spec.base),
    ]
    for field, reading, settings in fields:
        try:
            base = build_config(spec.preset or "paper", reading, settings, method=spec.method)
        except UserError as error:
            raise UserError(f"{field}: {error}") from None
    return base


def _with_numbers(settings: Settings) -> dict[str, Any]:
    """Read 1e-3 as a number, as on the command line: YAML 1.1 takes it for a text."""
    return {
        path: parse_override(f"{path}={value}")[1] if isinstance(value, str) else value
        for path, value in settings.items()
    }
