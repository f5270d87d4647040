/** What a path leads to, as far as the catalog tells (docs/contract.md, section 3); the server has the last word. */

import { type Attribute, type Catalog, type Operation, type Relation, type Resource, resourceNamed } from "../catalog";
import { isRaw } from "../request";
import { type Part, reference } from "./state";

export interface Place {
  resource: Resource;
  kind: "collection" | "item";
  parent: Relation | null; // the relation that leads to it, where the path goes through one
}

export function placeOf(catalog: Catalog, path: string): Place | null {
  const segments = path.split("?")[0]!.split("/");
  if (segments.shift() !== "" || segments.length === 0) {
    return null;
  }
  let place: Place | null = null;
  for (const [index, segment] of segments.entries()) {
    if (!segment || segment === "$") {
      return null;
    }
    const next: Place | null = index % 2 === 0 ? collectionBelow(catalog, place, segment) : itemOf(place);
    if (!next) {
      return null;
    }
    place = next;
  }
  return place;
}

function itemOf(place: Place | null): Place | null {
  return place ? { ...place, kind: "item" } : null;
}

function collectionBelow(catalog: Catalog, above: Place | null, segment: string): Place | null {
  if (!above) {
    const resource = catalog.find(({ collection }) => collection === segment);
    return resource ? { resource, kind: "collection", parent: null } : null;
  }
  const relation = waysDown(above.resource).find(({ name }) => name === segment);
  const resource = relation && resourceNamed(catalog, relation.target);
  return relation && resource ? { resource, kind: "collection", parent: relation } : null;
}

function waysDown(resource: Resource): Relation[] {
  return resource.relations.filter(({ many, path }) => many && path);
}

const AT_COLLECTION: readonly Operation[] = ["CREATE", "UPSERT", "GET"];
const AT_ITEM: readonly Operation[] = ["UPDATE", "REPLACE", "UPSERT", "DELETE", "CREATE", "GET"];
const AT_ITEM_OF_A_PART: readonly Operation[] = ["UPDATE", "REPLACE", "DELETE", "GET"]; // it is there already
const ANYWHERE: readonly Operation[] = ["CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE", "GET"];

/** What can be done where a path leads to, the likeliest first; everything where we do not know the place. */
export function operationsAt(place: Place | null, path: string): Operation[] {
  if (!place) {
    return [...ANYWHERE];
  }
  return kindsAt(place, path).filter((operation) => place.resource.operations.includes(operation));
}

function kindsAt({ kind }: Place, path: string): readonly Operation[] {
  if (path.includes("?")) {
    return ["GET"];
  }
  if (kind === "collection") {
    return AT_COLLECTION;
  }
  return lastSegment(path).startsWith("$") ? AT_ITEM_OF_A_PART : AT_ITEM;
}

/** What a form asks for: the attributes that a payload may give there, and relations that only a reference can set. */
export function fieldsAt(place: Place | null, operation: Operation): { attributes: Attribute[]; relations: Relation[] } {
  if (!place || operation === "GET" || operation === "DELETE") {
    return { attributes: [], relations: [] };
  }
  const { resource, kind, parent } = place;
  const given = new Set([...(parent?.targetAttributes ?? []), ...(kind === "item" ? resource.key : [])]);
  const attributes = resource.attributes.filter(({ name, readOnly }) => !readOnly && !given.has(name));
  const relations = resource.relations.filter(
    (relation) => !relation.many && relation.attributes.length > 1 && !relation.attributes.every((name) => given.has(name)),
  );
  return { attributes, relations };
}

/** The parts before one whose item is of a resource. */
export function partsWithItem(catalog: Catalog, parts: readonly Part[], before: string, target: string): Part[] {
  const end = parts.findIndex(({ key }) => key === before);
  return parts.slice(0, end).filter((part) => {
    const place = placeOf(catalog, part.path);
    const isMade = part.operation === "CREATE" || part.operation === "UPSERT";
    const hasItem = isMade || (place?.kind === "item" && part.operation !== "DELETE");
    return hasItem && place?.resource.name === target && part.id !== "";
  });
}

export interface Suggestion {
  path: string;
  detail: string;
}

/** What a path may go on with, without asking the server: collections, relations, items of earlier parts. */
export function suggestions(catalog: Catalog, parts: readonly Part[], key: string, path: string): Suggestion[] {
  const { above, typed } = cut(catalog, path);
  const place = placeOf(catalog, above);
  if (above === "") {
    const collections = catalog.map((resource) => ({ path: resource.path, detail: resource.description ?? "" }));
    const isMeant = (found: Suggestion) => found.path.split("/").some((segment) => begins(segment, typed));
    return [...ofEarlierParts(catalog, parts, key).filter(isMeant), ...startingWith(collections, `/${typed}`)];
  }
  if (place?.kind === "item") {
    return startingWith(downFrom(place, above), `${above}/${typed}`);
  }
  const whole = placeOf(catalog, path);
  const below = whole?.kind === "item" ? downFrom(whole, path) : [];
  const earlier = place ? partsWithItem(catalog, parts, key, place.resource.name) : [];
  const items = startingWith(earlier.flatMap((part) => itemAndBelow(place!, above, part)), `${above}/${typed}`);
  const taken = new Set([path, ...below.map((found) => found.path)]);
  return [...below, ...items.filter((found) => !taken.has(found.path))];
}

/** The items of earlier parts, and what is below them, wherever a path may begin. */
function ofEarlierParts(catalog: Catalog, parts: readonly Part[], key: string): Suggestion[] {
  const end = parts.findIndex((part) => part.key === key);
  return parts.slice(0, end).flatMap((part) => {
    const place = placeOf(catalog, part.path);
    const isMeant = place && partsWithItem(catalog, parts, key, place.resource.name).includes(part);
    return isMeant ? itemAndBelow(place, place.resource.path, part) : [];
  });
}

function itemAndBelow(place: Place, collection: string, { id }: Part): Suggestion[] {
  const path = `${collection}/${reference(id)}`;
  const below = downFrom(place, path).map((found) => ({ ...found, detail: `${found.detail}, below part ${id}` }));
  return [{ path, detail: `the item of part ${id}` }, ...below];
}

function downFrom({ resource }: Place, path: string): Suggestion[] {
  return waysDown(resource).map(({ name, target }) => ({ path: `${path}/${name}`, detail: target }));
}

function startingWith(found: Suggestion[], beginning: string): Suggestion[] {
  return found.filter(({ path }) => begins(path, beginning));
}

function begins(text: string, beginning: string): boolean {
  return text.toLowerCase().startsWith(beginning.toLowerCase());
}

/** The collection whose items can be suggested, and what is typed of a key; null where there is none. */
export function itemsToSuggest(catalog: Catalog, path: string): { collection: string; place: Place; typed: string } | null {
  const { above, typed } = cut(catalog, path);
  const place = placeOf(catalog, above);
  const isKnown = place?.kind === "collection" && place.resource.itemPath && !above.includes("$");
  return isKnown ? { collection: above, place, typed } : null;
}

/** A path to a collection goes on with a key; else the last segment is still being typed, a key that has been too. */
function cut(catalog: Catalog, path: string): { above: string; typed: string } {
  if (placeOf(catalog, path)?.kind === "collection") {
    return { above: path, typed: "" };
  }
  const slash = path.lastIndexOf("/");
  return slash < 0 ? { above: "", typed: path } : { above: path.slice(0, slash), typed: path.slice(slash + 1) };
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The last segment of an item's path: its key, as canonical paths write it. */
export function keySegment(resource: Resource, values: Record<string, unknown>): string | null {
  const texts = resource.key.map((name) => {
    const isAny = resource.attributes.find((attribute) => attribute.name === name)?.type === "Any";
    return keyText(values[name], isAny);
  });
  return texts.includes("") ? null : texts.map(percentEncoded).join(",");
}

/** The value of a key as it stands in a path; empty where it cannot. */
function keyText(value: unknown, isAny: boolean): string {
  if (value === null || value === undefined) {
    return "";
  }
  return isAny ? anyText(value) : typeof value === "string" ? value : JSON.stringify(value);
}

const LIKE_ANOTHER = /^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-?Infinity|[xX]'[^]*'|'[^]*')?$/;
const WHOLE_REALS = 2 ** 63; // those below, in amount, are written by all their digits

/** A value of a column without a declared type: texts that could be something else are in quotes (docs/contract.md, section 3). */
function anyText(value: unknown): string {
  if (typeof value === "string") {
    return LIKE_ANOTHER.test(value) ? `'${value}'` : value;
  }
  const number = typeof value === "number" || isRaw(value) ? Number(JSON.stringify(value)) : null;
  if (number !== null) {
    return Number.isInteger(number) && Math.abs(number) < WHOLE_REALS ? BigInt(number).toString() : String(number);
  }
  const { int, real, base64 } = value as { int?: string; real?: string; base64?: string };
  return int ?? real ?? `X'${hexadecimal(base64 ?? "")}'`;
}

function hexadecimal(base64: string): string {
  const digits = Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0"));
  return digits.join("").toUpperCase();
}

/** All but RFC 3986's unreserved characters. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
