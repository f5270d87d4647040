/** A batch while it is composed. */

import type { Operation } from "../catalog";

/** What is sent for one attribute, or for a to-one relation; without an entry it is left out. */
export type Entry =
  | { kind: "value"; text: string; isTyped?: boolean } // as the API takes it; typed: by hand, where there is a picker
  | { kind: "null" }
  | { kind: "reference"; part: string }; // the key of an earlier part

export type Precondition =
  | { kind: "none" }
  | { kind: "any" } // null on the wire: the item exists, or does not
  | { kind: "etags"; text: string };

export interface Part {
  key: string; // ours; the id may change while it is typed
  id: string;
  path: string;
  operation: Operation;
  isChosen: boolean; // whether a person chose the operation, or the path did
  entries: Record<string, Entry>;
  ifMatch: Precondition;
  ifNoneMatch: Precondition;
}

export type Action =
  | { type: "add" }
  | { type: "remove"; key: string }
  | { type: "move"; key: string; by: -1 | 1 }
  | { type: "rename"; key: string; id: string }
  | { type: "change"; key: string; change: Partial<Omit<Part, "key" | "id" | "entries">> }
  | { type: "enter"; key: string; name: string; entry: Entry | null }
  | { type: "fill"; key: string; entries: Record<string, Entry> };

export function reduce(parts: Part[], action: Action): Part[] {
  switch (action.type) {
    case "add":
      return [...parts, newPart(parts)];
    case "remove":
      return parts.filter(({ key }) => key !== action.key).map((part) => withoutReferencesTo(part, action.key));
    case "move":
      return moved(parts, action.key, action.by);
    case "rename":
      return renamed(parts, action.key, action.id);
    case "change":
      return parts.map((part) => (part.key === action.key ? { ...part, ...action.change } : part));
    case "enter":
      return parts.map((part) => (part.key === action.key ? entered(part, action.name, action.entry) : part));
    case "fill":
      return parts.map((part) => (part.key === action.key ? { ...part, entries: action.entries } : part));
  }
}

export function newPart(parts: readonly Part[]): Part {
  const taken = new Set(parts.map(({ id }) => id));
  const letters = Array.from("abcdefghijklmnopqrstuvwxyz");
  let number = parts.length + 1;
  while (taken.has(`part${number}`)) {
    number += 1;
  }
  return {
    key: nextKey(parts),
    id: letters.find((letter) => !taken.has(letter)) ?? `part${number}`,
    path: "",
    operation: "CREATE",
    isChosen: false,
    entries: {},
    ifMatch: { kind: "none" },
    ifNoneMatch: { kind: "none" },
  };
}

function nextKey(parts: readonly Part[]): string {
  return `p${1 + Math.max(0, ...parts.map(({ key }) => Number(key.slice(1))))}`;
}

function moved(parts: Part[], key: string, by: -1 | 1): Part[] {
  const from = parts.findIndex((part) => part.key === key);
  const other = parts[from + by];
  const part = parts[from];
  if (!part || !other) {
    return parts;
  }
  const result = [...parts];
  result[from] = other;
  result[from + by] = part;
  return result;
}

/** References follow the part: by its key in entries, by its id in paths. */
function renamed(parts: Part[], key: string, id: string): Part[] {
  const former = parts.find((part) => part.key === key)?.id;
  const isShared = parts.some((part) => part.key !== key && part.id === former);
  return parts.map((part) => {
    if (part.key === key) {
      return { ...part, id };
    }
    if (!former || isShared || !id) {
      return part;
    }
    const segments = part.path.split("/").map((segment) => (segment === reference(former) ? reference(id) : segment));
    return { ...part, path: segments.join("/") };
  });
}

/** How a path names the item of a part. */
export function reference(id: string): string {
  return `$${encodeURIComponent(id)}`;
}

function entered(part: Part, name: string, entry: Entry | null): Part {
  const { [name]: _former, ...entries } = part.entries;
  return { ...part, entries: entry ? { ...entries, [name]: entry } : entries };
}

function withoutReferencesTo(part: Part, key: string): Part {
  const entries = Object.entries(part.entries).filter(([, entry]) => entry.kind !== "reference" || entry.part !== key);
  return { ...part, entries: Object.fromEntries(entries) };
}

const DRAFT = "partwise:draft:";

/** Keeps the draft while the tab is open: going to GraphiQL and back loses nothing. */
export function keepDraft(name: string, parts: Part[]): void {
  sessionStorage.setItem(DRAFT + name, JSON.stringify(parts));
}

export function keptDraft(name: string): Part[] {
  const kept = sessionStorage.getItem(DRAFT + name);
  return kept ? (JSON.parse(kept) as Part[]) : [newPart([])];
}
