"""Settings: by flag, by `PARTWISE_…` variable, by `partwise.toml`, in that order."""

import re
import tomllib
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableVariable

from resolvers.documents.limits import Limits
from storage.catalog.overrides import AttributeOverride, CheckOverride, ResourceOverride
from storage.connections.preparing import Mode
from storage.rows.etags import MAX_SECRET_LENGTH

FILE = Path("partwise.toml")
_DRAIN = 5.0  # seconds
_MEBIBYTE = 1 << 20  # bytes
# As browsers serialize it (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin): no capitals, path or usual port.
_ORIGIN = re.compile(
    r"(?!https://.*:443$|http://.*:80$)[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)
_NUMBERS = frozenset({"greater_than", "greater_than_equal", "less_than_equal", "int_from_float"})
_KINDS = {  # of settings that are no number, by the first word of pydantic's errors
    "bool": "true or false",
    "string": "a text",
    "path": "a path",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
}
_BOUNDS = (("at least", "ge"), ("more than", "gt"), ("at most", "le"))


class SettingsError(Exception):
    """A setting is wrong. The text says which, and what would be right."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttributeSettings(_Strict):
    """`[resources.TABLE.attributes.COLUMN]`."""

    name: str | None = None
    former_name: str | None = None
    hidden: bool = False
    read_only: bool = False
    type: str | None = None
    format: str | None = None


class CheckSettings(_Strict):
    """`[resources.TABLE.checks.NAME]`."""

    message: str | None = Field(default=None, min_length=1)


class ResourceSettings(_Strict):
    """`[resources.TABLE]`."""

    name: str | None = None
    collection: str | None = None
    former_collection: str | None = None
    hidden: bool | None = None
    read_only: bool | None = None
    version: str | None = None
    attributes: dict[str, AttributeSettings] = Field(default_factory=dict)
    checks: dict[str, CheckSettings] = Field(default_factory=dict)
    relations: dict[str, str] = Field(default_factory=dict)

    def override(self) -> ResourceOverride:
        """Turn it into what the catalog takes."""
        values = self.model_dump(exclude={"attributes", "checks"})
        checks = {name: CheckOverride(**each.model_dump()) for name, each in self.checks.items()}
        attributes = {column: AttributeOverride(**each.model_dump()) for column, each in self.attributes.items()}
        return ResourceOverride(**values, attributes=attributes, checks=checks)


class Settings(BaseSettings):
    """All settings of the program."""

    model_config = SettingsConfigDict(
        env_prefix="PARTWISE_", env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    database_url: str | None = None
    models: str | None = None
    create_tables: bool = False
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    wait: float = Field(default=0.0, ge=0, le=86_400)  # seconds, for a database that is not available yet
    workers: int = Field(default=1, ge=1, le=64)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    open: bool = False  # whether other machines may reach it without access rules
    etag_secret: SecretStr = SecretStr("")
    connections: int = Field(default=8, ge=1, le=1_000)
    timeout: float = Field(default=30.0, gt=0, le=3_600)  # seconds, until a request is answered
    commit_timeout: float = Field(default=10.0, gt=0, le=3_600)  # seconds beyond it, for a COMMIT
    header_timeout: float = Field(default=10.0, gt=0, le=3_600)  # seconds, for the headers of a request
    body_timeout: float = Field(default=8.0, gt=0, le=3_600)  # seconds in which the least rate is measured
    min_data_rate: float = Field(default=1_000.0, ge=0)  # bytes a second of bodies and responses
    idle_timeout: float = Field(default=75.0, gt=0, le=86_400)  # seconds between two requests of a connection
    max_connections: int = Field(default=1_000, ge=1, le=1_000_000)  # of one process
    drain_seconds: float | None = Field(default=None, ge=0, le=3_600)  # of serving on after SIGTERM; None: by `host`
    shutdown_timeout: float = Field(default=20.0, ge=0, le=3_600)  # seconds for requests that have begun, after that
    target_wait: float = Field(default=0.5, gt=0, le=3_600)  # seconds that requests wait for their turn under load
    prepared_statements: Mode = "auto"  # of PostgreSQL
    idempotency_keys: bool = True  # whether they are kept, in a table of ours
    database_messages: bool = True  # whether clients receive the messages of triggers
    max_parts: int = Field(default=10_000, ge=1)
    max_page: int = Field(default=1_000, ge=1)  # items
    max_nesting: int = Field(default=12, ge=1, le=100)  # collections of a path
    max_path: int = Field(default=2_048, ge=16)  # characters
    max_document: int = Field(default=200_000, ge=100)  # characters
    max_tokens: int = Field(default=8_000, ge=10)  # of a document
    max_definitions: int = Field(default=300, ge=1)  # operations and fragments
    max_depth: int = Field(default=32, ge=1)  # fields above each other
    max_selections: int = Field(default=3_000, ge=1)  # fragments written out
    max_aliases: int = Field(default=200, ge=0)
    max_directives: int = Field(default=500, ge=0)
    max_root_fields: int = Field(default=100, ge=1)
    max_introspections: int = Field(default=10, ge=0)  # fields __schema and __type
    introspections_per_minute: int = Field(default=30, ge=1)  # new ones, that no answer is kept of
    max_cost: int = Field(default=2_500_000, ge=1)  # objects that an answer may have
    max_answer: int = Field(default=64 * _MEBIBYTE, ge=1_024)  # bytes that are read for an answer
    max_body: int = Field(default=16 * _MEBIBYTE, ge=1_024)  # bytes
    max_values: int = Field(default=1_000_000, ge=100)  # of a request
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()  # whose pages may call; "*": everybody's
    compression: int = Field(default=4, ge=0, le=9)  # zlib's level; 0: none
    server_timing: bool = True
    persisted_documents: Path | None = None  # a folder of *.graphql, or a manifest
    only_persisted: bool = False
    resources: dict[str, ResourceSettings] = Field(default_factory=dict)

    @field_validator("etag_secret")
    @classmethod
    def _short_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value().encode()) > MAX_SECRET_LENGTH:
            raise ValueError(f"can have at most {MAX_SECRET_LENGTH} bytes")
        return secret

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _to_list(cls, origins: Any) -> Any:
        return [each.strip() for each in origins.split(",") if each.strip()] if isinstance(origins, str) else origins

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [each for each in origins if each != "*" and not _ORIGIN.fullmatch(each)]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} is not an origin; write it as browsers send it, such as https://app.example.org:8443"
            )
        return origins

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then variables, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, FILE)

    @property
    def limits(self) -> Limits:
        """How much one request may ask for."""
        return Limits(**{each.name: getattr(self, f"max_{each.name}") for each in fields(Limits)})

    @property
    def seconds_to_drain(self) -> float:
        """How long to serve on after SIGTERM: only a load balancer has to notice, and on this machine there seldom is one."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return 0.0 if self.is_loopback else _DRAIN

    @property
    def is_loopback(self) -> bool:
        """Return True if only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return True if a host name or address means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(**flags: Any) -> Settings:
    """Load the settings; flags that are None were not given. Raises `SettingsError`."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(each) for each in error.errors())) from None
    except UnreadableVariable:
        raise SettingsError("The variable PARTWISE_RESOURCES is not valid JSON.") from None  # no other is read as JSON
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE} is not valid TOML: {error}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{FILE} is not valid UTF-8 at byte {error.start}, counted from 0.") from None


def _sentence(error: ErrorDetails) -> str:
    place = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"There is no setting {place}."
    if error["type"] == "value_error":  # a sentence of our own
        return f"The setting {place} is wrong: {error['msg'].removeprefix('Value error, ')}."
    given = (
        error["input"] if error["type"] in _NUMBERS else "wrong"
    )  # a text may be a secret that has come to the wrong place
    return f"The setting {place} is {given}: it must be {_allowed(error)}."


def _allowed(error: ErrorDetails) -> str:
    """Say what a setting can be, all of it: not only which bound a number has passed."""
    if error["type"] == "literal_error":
        return str(error["ctx"]["expected"]).replace("'", "")
    kind = error["type"].partition("_")[0]
    if kind in _KINDS:
        return _KINDS[kind]
    field = Settings.model_fields[str(error["loc"][0])]
    found = [f"{word} {limit}" for word, name in _BOUNDS if (limit := _bound(field, name)) is not None]
    return ", ".join(["a whole number" if field.annotation is int else "a number", " and ".join(found)])


def _bound(field: FieldInfo, name: str) -> float | None:
    return next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None)
