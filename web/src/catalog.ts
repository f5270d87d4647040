/** What the server serves: `resources` of its schema (docs/contract.md, section 5). */

import { type Json, ask } from "./request";

export type Operation = "GET" | "CREATE" | "UPDATE" | "REPLACE" | "UPSERT" | "DELETE";

export interface Attribute {
  name: string;
  type: string;
  required: boolean;
  nullable: boolean;
  readOnly: boolean;
  generated: boolean;
  default: Json;
  minLength: number | null;
  maxLength: number | null;
  precision: number | null;
  scale: number | null;
  minimum: Json;
  maximum: Json;
  timeZone: boolean | null;
  enum: string[] | null;
  description: string | null;
}

export interface Relation {
  name: string;
  target: string;
  many: boolean;
  attributes: string[];
  targetAttributes: string[];
  path: string | null;
}

export interface Resource {
  name: string;
  description: string | null;
  collection: string;
  field: string | null;
  path: string;
  itemPath: string | null;
  key: string[];
  uniqueKeys: string[][];
  version: string | null;
  operations: Operation[];
  attributes: Attribute[];
  relations: Relation[];
}

export type Catalog = readonly Resource[];

const RESOURCES = `{
  resources {
    name description collection field path itemPath key uniqueKeys version operations
    attributes {
      name type required nullable readOnly generated default minLength maxLength precision scale minimum maximum timeZone
      enum description
    }
    relations { name target many attributes targetAttributes path }
  }
}`;

export async function fetchCatalog(): Promise<Catalog> {
  return (await ask<{ resources: Resource[] }>(RESOURCES)).resources;
}

export function resourceNamed(catalog: Catalog, name: string): Resource | undefined {
  return catalog.find((resource) => resource.name === name);
}

/** Two databases that are served at one address, one after the other, must not show each other's drafts. */
export function signature(catalog: Catalog): string {
  let hash = 5381;
  for (const character of catalog.map((resource) => `${resource.path} ${resource.attributes.length}`).join("\n")) {
    hash = (Math.imul(hash, 33) ^ character.charCodeAt(0)) >>> 0;
  }
  return hash.toString(36);
}
