"""Settings, from flags, `PARTWISE_…` variables and `partwise.toml`, in this order of precedence."""

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
# An origin as browsers serialize it (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin): without capital
# letters, path or default port.
_ORIGIN = re.compile(
    r"(?!https://.*:443$|http://.*:80$)[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)
_NUMBERS = frozenset({"greater_than", "greater_than_equal", "less_than_equal", "int_from_float"})
_KINDS = {  # kinds of settings that are not numbers, by the first word of pydantic's error type
    "bool": "true or false",
    "string": "a text",
    "path": "a path",
    "tuple": "a list",
    "dict": "a table",
    "model": "a table",
}
_BOUNDS = (("at least", "ge"), ("more than", "gt"), ("at most", "le"))


class SettingsError(Exception):
    """An invalid setting. The message names the setting and the values that are allowed."""


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
        """Return the settings as the override that the catalog accepts."""
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
    open: bool = False  # True if other machines may connect although there are no access rules
    etag_secret: SecretStr = SecretStr("")
    connections: int = Field(default=8, ge=1, le=1_000)
    timeout: float = Field(default=30.0, gt=0, le=3_600)  # seconds until a request must be answered
    commit_timeout: float = Field(default=10.0, gt=0, le=3_600)  # seconds beyond `timeout` for a COMMIT
    header_timeout: float = Field(default=10.0, gt=0, le=3_600)  # seconds, for the headers of a request
    body_timeout: float = Field(default=8.0, gt=0, le=3_600)  # seconds in which the minimum rate is measured
    min_data_rate: float = Field(default=1_000.0, ge=0)  # bytes per second of bodies and responses
    idle_timeout: float = Field(default=75.0, gt=0, le=86_400)  # seconds between two requests of a connection
    max_connections: int = Field(default=1_000, ge=1, le=1_000_000)  # per process
    drain_seconds: float | None = Field(default=None, ge=0, le=3_600)  # serving after SIGTERM; None: depends on `host`
    shutdown_timeout: float = Field(default=20.0, ge=0, le=3_600)  # seconds after that, for requests that have begun
    target_wait: float = Field(default=0.5, gt=0, le=3_600)  # seconds that requests wait for their turn under load
    prepared_statements: Mode = "auto"  # PostgreSQL only
    idempotency_keys: bool = True  # True if they are stored, in a table of Partwise
    database_messages: bool = True  # True if clients receive the messages of triggers
    max_parts: int = Field(default=10_000, ge=1)
    max_page: int = Field(default=1_000, ge=1)  # items
    max_nesting: int = Field(default=12, ge=1, le=100)  # collections in a path
    max_path: int = Field(default=2_048, ge=16)  # characters
    max_document: int = Field(default=200_000, ge=100)  # characters
    max_tokens: int = Field(default=8_000, ge=10)  # in a document
    max_definitions: int = Field(default=300, ge=1)  # operations and fragments
    max_depth: int = Field(default=32, ge=1)  # nested fields
    max_selections: int = Field(default=3_000, ge=1)  # with fragments expanded
    max_aliases: int = Field(default=200, ge=0)
    max_directives: int = Field(default=500, ge=0)
    max_root_fields: int = Field(default=100, ge=1)
    max_introspections: int = Field(default=10, ge=0)  # fields __schema and __type
    introspections_per_minute: int = Field(default=30, ge=1)  # new ones, whose results are not cached
    max_cost: int = Field(default=2_500_000, ge=1)  # objects in a response
    max_answer: int = Field(default=64 * _MEBIBYTE, ge=1_024)  # bytes read from the database for a response
    max_body: int = Field(default=16 * _MEBIBYTE, ge=1_024)  # bytes
    max_values: int = Field(default=1_000_000, ge=100)  # in the JSON of a request
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()  # origins whose pages may send requests; "*": all
    compression: int = Field(default=4, ge=0, le=9)  # zlib level; 0 disables compression
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
        """Return the sources in order of precedence: flags, variables, the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, FILE)

    @property
    def limits(self) -> Limits:
        """The limits of a request."""
        return Limits(**{each.name: getattr(self, f"max_{each.name}") for each in fields(Limits)})

    @property
    def seconds_to_drain(self) -> float:
        """The seconds to continue serving after SIGTERM.

        Draining is only needed for a load balancer, and on a loopback address there seldom is one.
        """
        if self.drain_seconds is not None:
            return self.drain_seconds
        return 0.0 if self.is_loopback else _DRAIN

    @property
    def is_loopback(self) -> bool:
        """Return True if only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_settings(**flags: Any) -> Settings:
    """Load the settings; flags with the value None are ignored. Raises `SettingsError`."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(each) for each in error.errors())) from None
    except UnreadableVariable:
        # No other variable is parsed as JSON.
        raise SettingsError("The variable PARTWISE_RESOURCES is not valid JSON.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{FILE} is not valid TOML: {error}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{FILE} is not valid UTF-8 at byte {error.start}, counted from 0.") from None


def _sentence(error: ErrorDetails) -> str:
    place = ".".join(str(step) for step in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"There is no setting {place}."
    if error["type"] == "value_error":  # a message of our own validators
        return f"The setting {place} is wrong: {error['msg'].removeprefix('Value error, ')}."
    # A text is not shown, because it may be a secret in the wrong place.
    given = error["input"] if error["type"] in _NUMBERS else "wrong"
    return f"The setting {place} is {given}: it must be {_allowed(error)}."


def _allowed(error: ErrorDetails) -> str:
    """Describe all allowed values of a setting, not only the bound that a number has exceeded."""
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
