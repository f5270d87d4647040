/** Values to begin with, as a person might write them: of an attribute's name, its type and its limits. */

import type { Attribute, Resource } from "./catalog";
import { type Json, textOf } from "./request";

const PERSON = "Ada King";
/** What a text may be, by its attribute's name: the first rule that fits, of it the first text that is short enough. */
const TEXTS: readonly [RegExp, ...string[]][] = [
  [/e_?mail/i, "ada@example.org", "a@b.org"],
  [/url|website|homepage/i, "https://example.org/"],
  [/phone|fax|mobile/i, "+44 20 7946 0018"],
  [/first_?name|given_?name|forename/i, "Ada"],
  [/last_?name|family_?name|surname/i, "King"],
  [/user_?name|login|nick/i, "ada"],
  [/composer|author|artist|director|editor|owner|contact/i, PERSON],
  [/company|employer/i, "Analytical Engines Ltd"],
  [/job|position|role/i, "Engineer"],
  [/street|address/i, "12 St James's Square"],
  [/post_?al|post_?code|zip/i, "SW1Y 4JH", "10115"],
  [/city|town/i, "London"],
  [/country|nation/i, "United Kingdom", "GBR", "GB"],
  [/state|region|province/i, "Yorkshire", "NY"],
  [/currency/i, "EUR"],
  [/lang|locale/i, "English", "en"],
  [/colou?r/i, "green"],
  [/sku|code|number/i, "A-100"],
  [/description|comment|note|text|body|message|summary/i, "A few words.", "Words"],
];
const PEOPLE = /customer|user|person|people|employee|member|author|contact|guest|student|artist|composer/i;
const SHORT = "ABC"; // codes of countries, currencies, languages

/** A value that the attribute takes; where no two items may share it, one that hardly any has. */
export function sampleOf(attribute: Attribute, resource: Resource, isUnique = false): Json {
  if (attribute.type.startsWith("[")) {
    return [];
  }
  if (attribute.enum?.length) {
    return attribute.enum[0]!;
  }
  const now = new Date().toISOString();
  switch (attribute.type) {
    case "Int":
    case "Float":
      return numberFor(attribute, isUnique);
    case "BigInt":
      return String(numberFor(attribute, isUnique));
    case "Decimal":
      return ["9.50", "0.50", "9", "0"].find((text) => fits(text, attribute)) ?? textOf(attribute.minimum ?? "0");
    case "Boolean":
      return true;
    case "Date":
      return now.slice(0, 10);
    case "Time":
      return "12:00:00";
    case "DateTime":
      return attribute.timeZone ? `${now.slice(0, 10)}T12:00:00Z` : `${now.slice(0, 10)}T12:00:00`;
    case "UUID":
      return anyUuid();
    case "JSON":
      return {};
    case "Base64":
      return "AAAA";
    default:
      return isUnique ? unlikeOthers(textFor(attribute, resource), attribute) : textFor(attribute, resource);
  }
}

/** An example for whoever fills in the attribute; null where its name and type tell no more than a person sees. */
export function exampleOf(attribute: Attribute, resource: Resource): string | null {
  switch (attribute.type) {
    case "Decimal":
      return String(sampleOf(attribute, resource));
    case "String":
      return knownTexts(attribute, resource).find((text) => hasLength(text, attribute)) ?? null;
    default:
      return null;
  }
}

function numberFor(attribute: Attribute, isUnique: boolean): number {
  const { name, minimum, maximum } = attribute;
  const named = /millisecond|duration/i.test(name) ? 180_000 : /year/i.test(name) ? new Date().getFullYear() : 1;
  const likely = isUnique ? [anyNumber(), named, 1] : [named, 1];
  const nearest = minimum !== null && numberOf(minimum) > 1 ? minimum : maximum;
  return likely.find((number) => isWithin(number, attribute)) ?? numberOf(nearest);
}

function isWithin(number: number, { minimum, maximum }: Attribute): boolean {
  return (minimum === null || number >= numberOf(minimum)) && (maximum === null || number <= numberOf(maximum));
}

function numberOf(limit: Json): number {
  return Number(textOf(limit));
}

function anyNumber(): number {
  return 1_000 + Math.floor(Math.random() * 30_000); // of 16 bits, too
}

function fits(text: string, attribute: Attribute): boolean {
  const digits = text.split(".")[1]?.length ?? 0;
  return (attribute.scale === null || digits <= attribute.scale) && isWithin(Number(text), attribute);
}

function hasLength({ length }: string, { minLength, maxLength }: Attribute): boolean {
  return length >= (minLength ?? 0) && length <= (maxLength ?? Infinity);
}

function anyUuid(): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join("");
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, "$1-$2-4$3-8$4-$5"); // RFC 9562, version 4
}

/** What the names of an attribute and of its resource say about its text. */
function knownTexts({ name }: Attribute, resource: Resource): string[] {
  if (/^(full_?)?name$/i.test(name) && PEOPLE.test(resource.name)) {
    return [PERSON, "Ada"];
  }
  if (/^(name|title|label)$/i.test(name)) {
    return [`New ${words(resource.name).toLowerCase()}`];
  }
  const [, ...texts] = TEXTS.find(([pattern]) => pattern.test(name)) ?? [/$/];
  return texts;
}

function textFor(attribute: Attribute, resource: Resource): string {
  const { name, minLength, maxLength } = attribute;
  const found = [...knownTexts(attribute, resource), words(name)];
  const most = maxLength ?? Infinity;
  const fallback = (most > SHORT.length ? found.at(-1)! : SHORT).slice(0, most);
  return found.find((text) => hasLength(text, attribute)) ?? fallback.padEnd(minLength ?? 0, SHORT);
}

function unlikeOthers(text: string, { minLength, maxLength }: Attribute): string {
  const number = String(anyNumber());
  const at = text.indexOf("@");
  const after = /\d$/.test(text) ? text.replace(/\d+$/, number) : `${text} ${number}`;
  const made = at < 0 ? after : `${text.slice(0, at)}.${number}${text.slice(at)}`;
  return made.length <= (maxLength ?? Infinity) ? made : number.slice(0, maxLength!).padStart(minLength ?? 0, "0");
}

/** A name in words: `billingState` is "Billing state", `OrderLine` "Order line". */
function words(name: string): string {
  const apart = name.replace(/_+/g, " ").replace(/([a-z\d])([A-Z])/g, (_all, end: string, start: string) => `${end} ${start.toLowerCase()}`);
  return apart.slice(0, 1).toUpperCase() + apart.slice(1);
}
