/** Dates and times between a browser's own pickers and the API (docs/contract.md, section 7). */

import type { Attribute } from "../catalog";

const PICKERS: Record<string, "date" | "time" | "datetime-local"> = {
  Date: "date",
  Time: "time",
  DateTime: "datetime-local",
};

/** The latest that a picker takes: what keeps a browser from asking for years of six digits. */
export const LATEST = { date: "9999-12-31", time: undefined, "datetime-local": "9999-12-31T23:59:59" } as const;

/** The `type` of the input that picks such values; null where there is none. */
export function pickerOf({ type }: Attribute): "date" | "time" | "datetime-local" | null {
  return PICKERS[type] ?? null;
}

/** What the API takes, of what was picked: the seconds written out, and where it has a zone the browser's time in UTC. */
export function fromPicker(attribute: Attribute, picked: string): string {
  if (attribute.type === "Date") {
    return picked;
  }
  const clock = picked.slice(picked.indexOf("T") + 1);
  const whole = clock.length === "12:00".length ? `${picked}:00` : picked;
  const instant = new Date(whole); // without a zone in it, JavaScript takes it for local time
  const hasInstant = attribute.timeZone && !Number.isNaN(instant.getTime());
  return hasInstant ? instant.toISOString().replace(/\.000Z$/, "Z") : whole;
}

/** What a picker shows of a value; null where it cannot: fractions of seconds, infinity, what is no such value. */
export function toPicker(attribute: Attribute, text: string): string | null {
  if (text === "") {
    return "";
  }
  if (attribute.type === "Date") {
    return isOfTheCalendar(`${text}T00:00:00`) ? text : null;
  }
  if (attribute.type === "Time") {
    return isOfTheCalendar(`2000-01-01T${text}`) ? withoutZeroSeconds(text) : null;
  }
  if (!attribute.timeZone) {
    return isOfTheCalendar(text) ? withoutZeroSeconds(text) : null;
  }
  const local = text.endsWith("Z") && isOfTheCalendar(text.slice(0, -1)) ? localTime(new Date(text)) : "";
  return isOfTheCalendar(local) ? withoutZeroSeconds(local) : null;
}

/** The name of the zone in which a picker's times are. */
export function zone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function isOfTheCalendar(text: string): boolean {
  const instant = new Date(`${text}Z`);
  return !Number.isNaN(instant.getTime()) && instant.toISOString() === `${text}.000Z`;
}

function localTime(instant: Date): string {
  const day = [padded(instant.getFullYear(), 4), padded(instant.getMonth() + 1), padded(instant.getDate())];
  const clock = [instant.getHours(), instant.getMinutes(), instant.getSeconds()];
  return `${day.join("-")}T${clock.map((number) => padded(number)).join(":")}`;
}

function padded(number: number, digits = 2): string {
  return String(number).padStart(digits, "0");
}

/** Browsers write times so; another text of the same time would be set anew while a person types. */
function withoutZeroSeconds(text: string): string {
  return text.replace(/:00$/, "");
}
