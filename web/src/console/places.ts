/** What a path leads to, as far as the catalog tells (docs/contract.md, section 3); the server has the last word. */

import { type Attribute, type Catalog, type Operation, type Relation, type Resource, resourceNamed } from "../catalog";
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

/** What can be done at a place, the likeliest first; everything where we do not know the place. */
export function operationsAt(place: Place | null): Operation[] {
  if (!place) {
    return ["GET", "CREATE", "UPDATE", "REPLACE", "UPSERT", "DELETE"];
  }
  const kinds = place.kind === "item" ? AT_ITEM : AT_COLLECTION;
  return kinds.filter((operation) => place.resource.operations.includes(operation));
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
    const hasItem = place?.kind === "item" || part.operation === "CREATE" || part.operation === "UPSERT";
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
  const whole = placeOf(catalog, path);
  const below = whole?.kind === "item" ? downFrom(whole, path) : [];
  if (above === "") {
    const all = catalog.map(({ collection, description }) => ({ path: `/${collection}`, detail: description ?? "" }));
    return startingWith(all, typed);
  }
  if (place?.kind === "item") {
    return startingWith(downFrom(place, above), typed);
  }
  const earlier = place ? partsWithItem(catalog, parts, key, place.resource.name) : [];
  const items = earlier.map(({ id }) => ({ path: `${above}/${reference(id)}`, detail: `the item of part ${id}` }));
  return [...below, ...startingWith(items, typed).filter((item) => item.path !== path)];
}

function downFrom({ resource }: Place, path: string): Suggestion[] {
  return waysDown(resource).map(({ name, target }) => ({ path: `${path}/${name}`, detail: target }));
}

function startingWith(found: Suggestion[], typed: string): Suggestion[] {
  return found.filter(({ path }) => lastSegment(path).toLowerCase().startsWith(typed.toLowerCase()));
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
  const keys = resource.key.map((name) => values[name]);
  if (keys.some((value) => value === null || value === undefined || value === "")) {
    return null;
  }
  return keys.map((value) => percentEncoded(typeof value === "string" ? value : JSON.stringify(value))).join(",");
}

/** All but RFC 3986's unreserved characters. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
