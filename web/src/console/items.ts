/** Reads items for the form: by a dry run of a GET, which any path takes. */

import type { Resource } from "../catalog";
import { type Json, post } from "../request";
import { type BatchResult, MUTATION, type PartResult } from "./batch";
import { type Suggestion, keySegment } from "./places";

export type Values = Record<string, Json>;

const FEW = 30; // items that are suggested

async function read(path: string): Promise<PartResult | null> {
  const parts = [{ id: "read", path, operation: "GET" }];
  try {
    const answer = await post<{ batch: BatchResult | null }>(MUTATION, { parts, dryRun: true });
    return answer.data?.batch?.parts[0] ?? null;
  } catch {
    return null; // no suggestions, then; who runs the batch hears of it
  }
}

async function readFirst(collection: string): Promise<Values[]> {
  const result = await read(`${collection}?limit=${FEW}`);
  const payload = result?.payload as { items?: Values[] } | null | undefined;
  return payload?.items ?? [];
}

/** What an attribute may hold to point at an item: its value, and what tells a person which item it is. */
export interface Target {
  value: string;
  title: string;
}

/** The first items of a resource, by the attribute that others point at. */
export async function readTargets(resource: Resource, attribute: string): Promise<Target[]> {
  const items = await readFirst(resource.path);
  return items.map((values) => ({ value: String(values[attribute]), title: titleOf(resource, values) }));
}

/** The first items below a collection path, as suggestions. */
export async function readItems(resource: Resource, collection: string): Promise<Suggestion[]> {
  return (await readFirst(collection)).flatMap((values) => {
    const key = keySegment(resource, values);
    return key === null ? [] : [{ path: `${collection}/${key}`, detail: titleOf(resource, values) }];
  });
}

/** One item: its etag and its values, or why there is none. */
export async function readItem(path: string): Promise<{ etag: string; values: Values } | string> {
  const result = await read(path);
  if (!result) {
    return "The server did not answer.";
  }
  if (result.errors[0]) {
    return result.errors[0].message;
  }
  return { etag: result.etag ?? "", values: (result.payload ?? {}) as Values };
}

function titleOf(resource: Resource, values: Values): string {
  const texts = resource.attributes.filter(({ name, type }) => type === "String" && !resource.key.includes(name));
  const shown = texts.map(({ name }) => values[name]).filter((value) => typeof value === "string" && value !== "");
  return shown.slice(0, 2).join(" · ");
}
