/** The batch on the wire (docs/contract.md, section 2): what is sent, what comes back, and where errors belong. */

import type { Catalog, Operation } from "../catalog";
import { ENDPOINT, type Json } from "../request";
import { fieldsAt, placeOf } from "./places";
import type { Part, Precondition } from "./state";
import { isGiven, toJson } from "./values";

export const MUTATION = `mutation ($parts: [PartInput!]!, $dryRun: Boolean! = false) {
  batch(parts: $parts, dryRun: $dryRun) {
    status
    parts {
      id index path operation status etag payload
      errors { code message pointer attributes }
    }
  }
}`;

export interface WirePart {
  id: string;
  path: string;
  operation: Operation;
  payload?: Record<string, Json>;
  references?: { attribute: string; part: string }[];
  ifMatch?: string[] | null;
  ifNoneMatch?: string[] | null;
}

export interface PartError {
  code: string;
  message: string;
  pointer: string | null;
  attributes: string[];
}

export interface PartResult {
  id: string;
  index: number;
  path: string;
  operation: Operation;
  status: number;
  etag: string | null;
  payload: Json;
  errors: PartError[];
}

export interface BatchResult {
  status: "COMMITTED" | "REJECTED" | "VALID";
  parts: PartResult[];
}

/** One thing that is wrong: at a field of a part, or, where it has no field of its own, at the part. */
export interface Mark {
  key: string; // the part's
  field: string; // id, path, operation, ifMatch, ifNoneMatch, entry-<attribute>; "": the part
  code: string;
  message: string;
}

export function toWire(catalog: Catalog, parts: readonly Part[]): { wire: WirePart[]; marks: Mark[] } {
  const marks: Mark[] = [];
  const wire = parts.map((part) => {
    const { id, path, operation } = part;
    const made: WirePart = { id, path, operation };
    const { attributes } = fieldsAt(placeOf(catalog, path), operation);
    const payload: [string, Json][] = [];
    if (!path) {
      marks.push({ key: part.key, field: "path", code: "NO_PATH", message: noPath(catalog) });
    }
    for (const attribute of attributes) {
      const entry = part.entries[attribute.name];
      if (!isGiven(attribute, entry)) {
        continue;
      }
      if (entry?.kind === "null") {
        payload.push([attribute.name, null]);
      } else if (entry?.kind === "value") {
        try {
          payload.push([attribute.name, toJson(attribute, entry.text)]);
        } catch {
          marks.push({ key: part.key, field: entryField(attribute.name), code: "NO_JSON", message: NO_JSON });
        }
      }
    }
    const references = referencesOf(catalog, parts, part);
    return {
      ...made,
      ...(payload.length ? { payload: Object.fromEntries(payload) } : {}),
      ...(references.length ? { references } : {}),
      ...precondition("ifMatch", part.ifMatch),
      ...precondition("ifNoneMatch", part.ifNoneMatch),
    };
  });
  return { wire, marks };
}

const NO_JSON = 'This is not valid JSON: write texts in double quotes, like "text", and objects like {"a": 1}.';

function noPath(catalog: Catalog): string {
  const example = catalog[0] ? `, such as ${catalog[0].path}` : "";
  return `This part has no path yet: choose one${example}, or remove the part.`;
}

function referencesOf(catalog: Catalog, parts: readonly Part[], part: Part): { attribute: string; part: string }[] {
  const { attributes, relations } = fieldsAt(placeOf(catalog, part.path), part.operation);
  return [...attributes, ...relations].flatMap(({ name }) => {
    const entry = part.entries[name];
    const other = entry?.kind === "reference" ? parts.find(({ key }) => key === entry.part) : undefined;
    return other ? [{ attribute: name, part: other.id }] : [];
  });
}

function precondition(name: "ifMatch" | "ifNoneMatch", given: Precondition): Partial<WirePart> {
  switch (given.kind) {
    case "none":
      return {};
    case "any":
      return { [name]: null };
    case "etags":
      return { [name]: given.text.split(/[\s,]+/).filter(Boolean) };
  }
}

export function entryField(name: string): string {
  return `entry-${name}`;
}

/** Where the errors of a rejected batch belong, by their pointers. */
export function marksOf(catalog: Catalog, parts: readonly Part[], result: BatchResult): Mark[] {
  return result.parts.flatMap(({ index, errors }) => {
    const part = parts[index];
    if (!part) {
      return [];
    }
    const references = referencesOf(catalog, parts, part).map(({ attribute }) => attribute);
    return errors.map(({ code, message, pointer, attributes }) => {
      const field = fieldOf(pointer, references) ?? (attributes.length === 1 ? entryField(attributes[0]!) : "");
      return { key: part.key, field, code, message };
    });
  });
}

/** The field of a JSON Pointer (RFC 6901) into a part. */
function fieldOf(pointer: string | null, references: string[]): string | null {
  const [, member, second] = (pointer ?? "").split("/").map((text) => text.replace(/~1/g, "/").replace(/~0/g, "~"));
  if (member === undefined) {
    return null;
  }
  if (member === "payload") {
    return second === undefined ? "" : entryField(second);
  }
  if (member === "references") {
    return second !== undefined && references[Number(second)] ? entryField(references[Number(second)]!) : "";
  }
  return member;
}

/** The same request for a terminal. */
export function toCurl(variables: object): string {
  const body = JSON.stringify({ query: MUTATION, variables });
  return `curl -s ${ENDPOINT} -H 'Content-Type: application/json' -d '${body.replace(/'/g, "'\\''")}'`;
}
