/** Between the text of a form's field and JSON (docs/contract.md, section 7). What is wrong with a value the server says. */

import type { Attribute, Operation } from "../catalog";
import { type Json, parseJson, textOf } from "../request";
import type { Entry } from "./state";
import { pickerOf, toPicker, zone } from "./times";

/** The value that a text stands for; a text that is no value of the type is sent as it is, for the server to judge. */
export function toJson(attribute: Attribute, text: string): Json {
  if (isWrittenAsJson(attribute)) {
    return parseJson(text);
  }
  switch (attribute.type) {
    case "Int":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case "Float":
      return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
    case "Boolean":
      return text === "true" || text === "false" ? text === "true" : text;
    default:
      return text;
  }
}

/** Whether a person writes JSON: for JSON itself, for lists, and where "1" and 1 are different values. */
export function isWrittenAsJson({ type }: Attribute): boolean {
  return type === "JSON" || type === "Any" || type.startsWith("[");
}

export function toText(attribute: Attribute, value: Json): string {
  return isWrittenAsJson(attribute) ? JSON.stringify(value) : textOf(value);
}

/** Whether an entry stands for something to send: an empty text does of a String only. */
export function isGiven(attribute: Attribute | null, entry: Entry | undefined): boolean {
  return entry !== undefined && !(entry.kind === "value" && entry.text === "" && attribute?.type !== "String");
}

/** What a person should know before writing a value. */
export function hintsOf(attribute: Attribute, operation: Operation, entry: Entry | undefined): string[] {
  const hints = [...formOf(attribute, entry), ...limitsOf(attribute)];
  if (operation === "UPDATE") {
    return hints; // what is left out stays as it is
  }
  if (attribute.generated) {
    hints.push("generated if empty");
  } else if (attribute.default !== null) {
    hints.push(`${toText(attribute, attribute.default) || "an empty text"} if empty`);
  }
  return hints;
}

function formOf(attribute: Attribute, entry: Entry | undefined): string[] {
  const { type, timeZone } = attribute;
  if (pickerOf(attribute) && isPicked(attribute, entry)) {
    const sent = entry?.kind === "value" && entry.text ? `: ${entry.text}` : "";
    const said = timeZone ? `your time (${zone()}), sent in UTC${sent}` : "without a time zone: sent as entered";
    return type === "DateTime" ? [said] : [];
  }
  switch (type) {
    case "DateTime":
      return [timeZone ? "like 2026-01-31T12:00:00.5Z" : "like 2026-01-31T12:00:00.5"];
    case "Date":
      return ["like 2026-01-31"];
    case "Time":
      return ["like 12:00:00.5"];
    case "Base64":
      return ["bytes, as Base64"];
    case "JSON":
      return ['JSON, like {"a": 1} or "text"'];
    case "Any":
      return ['JSON: a number, "text", or bytes like {"base64": "AAEC"}'];
    default:
      return isWrittenAsJson(attribute) ? [`a list in JSON, like ${listOf(attribute)}`] : [];
  }
}

function listOf({ type }: Attribute): string {
  const isPlain = /Int|Float|Boolean/.test(type) && !type.includes("BigInt");
  return isPlain ? (type.includes("Boolean") ? "[true, false]" : "[1, 2]") : '["a", "b"]';
}

function limitsOf(attribute: Attribute): string[] {
  return [lengthOf(attribute), digitsOf(attribute), rangeOf(attribute)].filter((limit) => limit !== null);
}

function lengthOf({ type, minLength, maxLength }: Attribute): string | null {
  const unit = `${type === "Base64" ? "byte" : "character"}${(maxLength ?? minLength) === 1 ? "" : "s"}`;
  const length = between(minLength, maxLength);
  return length && `${length} ${unit}`;
}

function digitsOf({ type, precision, scale }: Attribute): string | null {
  if (!type.includes("Decimal") || (precision === null && scale === null)) {
    return null;
  }
  if (precision === null) {
    return `at most ${placesOf(scale)}`;
  }
  return scale === null ? `${precision} digits` : `${precision} digits, ${placesOf(scale)}`;
}

function placesOf(scale: number | null): string {
  return `${scale} decimal place${scale === 1 ? "" : "s"}`;
}

function rangeOf(attribute: Attribute): string | null {
  const [minimum, maximum] = [attribute.minimum, attribute.maximum].map((limit) =>
    limit === null || isOfType(limit, attribute) ? null : textOf(limit),
  );
  return between(minimum ?? null, maximum ?? null);
}

function between<Limit extends string | number>(least: Limit | null, most: Limit | null): string | null {
  if (least === null || most === null) {
    return least !== null ? `at least ${least}` : most !== null ? `at most ${most}` : null;
  }
  return least === most ? `${least}` : `${least} to ${most}`;
}

/** A limit that only says how wide the type is, is no news: the ends of whole numbers, and as many nines as there are digits. */
function isOfType(limit: Json, { precision }: Attribute): boolean {
  const text = textOf(limit);
  const digits = text.replace(/[-.]/g, "").replace(/^0+|0+$/g, "");
  return precision === null ? WHOLE.includes(text) : digits === "9".repeat(precision);
}

const WHOLE = [-(2 ** 31), -(2n ** 63n), 2 ** 31 - 1, 2n ** 63n - 1n].map(String);

/** Whether a date or a time is in its picker: not where it was typed, or the picker could not show it. */
export function isPicked(attribute: Attribute, entry: Entry | undefined): boolean {
  return entry?.kind !== "value" || (!entry.isTyped && toPicker(attribute, entry.text) !== null);
}
