/** Between the text of a form's field and JSON (docs/contract.md, section 7). What is wrong with a value the server says. */

import type { Attribute } from "../catalog";
import { type Json, parseJson } from "../request";

/** The value that a text stands for; a text that is no value of the type is sent as it is, for the server to judge. */
export function toJson(attribute: Attribute, text: string): Json {
  if (isWrittenAsJson(attribute)) {
    return parseJson(text);
  }
  switch (attribute.type) {
    case "Int":
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case "Float":
      return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
    case "Boolean":
      return text === "true" || text === "false" ? text === "true" : text;
    default:
      return text;
  }
}

/** Whether a person writes JSON: for JSON itself, and for lists. */
export function isWrittenAsJson({ type }: Attribute): boolean {
  return type === "JSON" || type.startsWith("[");
}

export function toText(attribute: Attribute, value: Json): string {
  return isWrittenAsJson(attribute) || typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** What a person should know before writing a value. */
export function hintsOf(attribute: Attribute): string[] {
  const { type, maxLength, precision, scale, minimum, maximum, timeZone } = attribute;
  const hints: string[] = [];
  if (type === "DateTime") {
    hints.push(timeZone === false ? "like 2026-01-31T12:00:00" : "like 2026-01-31T12:00:00Z");
  } else if (type === "Date") {
    hints.push("like 2026-01-31");
  } else if (type === "Time") {
    hints.push("like 12:00:00");
  } else if (type === "Base64") {
    hints.push("bytes, as Base64");
  } else if (isWrittenAsJson(attribute)) {
    hints.push(type === "JSON" ? 'JSON, like {"a": 1}' : 'a list in JSON, like ["a", "b"]');
  }
  if (maxLength !== null) {
    hints.push(`at most ${maxLength} ${type === "Base64" ? "bytes" : "characters"}`);
  }
  if (precision !== null && scale !== null) {
    hints.push(`${precision} digits, ${scale} after the point`);
  } else if ((minimum !== null || maximum !== null) && !isWholeRange(attribute)) {
    hints.push(`${shown(minimum)} to ${shown(maximum)}`);
  }
  if (attribute.generated) {
    hints.push("left out: made by the database");
  } else if (attribute.default !== null) {
    hints.push(`left out: ${toText(attribute, attribute.default)}`);
  }
  return hints;
}

function shown(limit: Json): string {
  return limit === null ? "…" : String(limit);
}

/** Limits that only say how wide the type is are no news. */
function isWholeRange({ minimum, maximum }: Attribute): boolean {
  const wide = [-(2 ** 31), -(2n ** 63n), 2 ** 31 - 1, 2n ** 63n - 1n].map(String);
  return wide.includes(String(minimum)) && wide.includes(String(maximum));
}
