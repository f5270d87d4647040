/** Documents to begin with, made of what this server serves: a query, a batch of creates, a guarded update. */

import { type Attribute, type Catalog, type Relation, type Resource, resourceNamed } from "../catalog";
import { type Json, ask, isRaw } from "../request";
import { sampleOf } from "../samples";

export interface Example {
  query: string;
}

type Values = Record<string, Json>;

const WIDTH = 50; // characters that GraphiQL shows of a line beside its buttons, on a screen of 1280 pixels

/** The tabs of a first visit. Where nothing can be written there is only the query; an empty catalog has none. */
export async function examplesOf(catalog: Catalog): Promise<Example[]> {
  const found = [queryExample(catalog), createExample(catalog), await updateExample(catalog)];
  return found.filter((query) => query !== null).map((query) => ({ query }));
}

function queryExample(catalog: Catalog): string | null {
  const resource = best(catalog, ({ relations }) => {
    const many = relations.filter((relation) => relation.many).length;
    return Math.min(many, 1) * 2 + (many < relations.length ? 2 : 0) + relations.length / 100;
  });
  if (!resource) {
    return null;
  }
  const lines = [...shownAttributes(resource)];
  const toOne = resource.relations.find((relation) => !relation.many);
  const toMany = resource.relations.find((relation) => relation.many);
  for (const relation of [toOne, toMany]) {
    const target = relation && resourceNamed(catalog, relation.target);
    if (relation && target) {
      const names = shownAttributes(target);
      lines.push(
        ...(relation.many
          ? [`${relation.name}(first: 3) {`, ...selection("nodes", names, 8).map((line) => `  ${line}`), "}"]
          : selection(relation.name, names, 6)),
      );
    }
  }
  return `query ${capital(resource.collection)} {
  ${resource.collection}(first: 5) {
    nodes {
      ${lines.join("\n      ")}
    }
    totalCount
  }
}
`;
}

/** A field and what is asked of it, in one line where there is room behind the indent. */
function selection(name: string, names: string[], indent: number): string[] {
  const line = `${name} { ${names.join(" ")} }`;
  return indent + line.length <= WIDTH ? [line] : [`${name} {`, ...names.map((each) => `  ${each}`), "}"];
}

function createExample(catalog: Catalog): string | null {
  const pairs = catalog.flatMap((parent) =>
    parent.relations
      .map((relation) => ({ parent, relation, child: resourceNamed(catalog, relation.target) }))
      .filter(({ relation, child }) => relation.many && relation.path && creates(parent) && child && creates(child)),
  );
  const pair = best(pairs, ({ parent, relation, child }) => 10 - pointers(parent) - pointers(child!, relation));
  const single = best(catalog.filter(creates), (resource) => 10 - pointers(resource));
  if (!pair && !single) {
    return null;
  }
  const parent = pair?.parent ?? single!;
  const parts = [part("new", parent.path, "CREATE", valuesOf(parent))];
  let name = parent.name;
  if (pair) {
    const child = pair.child!;
    name += `With${child.name}`;
    parts.push(
      part("child", `${parent.path}/$new/${pair.relation.name}`, "CREATE", valuesOf(child, pair.relation)),
    );
  }
  const why = pair ? "# $new is the item that the first part makes.\n" : "";
  const dry = "# A dry run writes nothing.\n# Without dryRun all of it is written, or none.\n";
  return `${why}${dry}${batch(`Add${name}`, parts)}`;
}

async function updateExample(catalog: Catalog): Promise<string | null> {
  const found = best(
    catalog.filter((resource) => resource.itemPath && resource.operations.includes("UPDATE")),
    (resource) => (changeable(resource) ? 1 + Number(changeable(resource)!.type === "String") : 0),
  );
  const attribute = found && changeable(found);
  if (!found || !attribute) {
    return null;
  }
  const item = await firstItem(found, attribute);
  if (!item) {
    return null;
  }
  const isShort = item.value !== null && literal(item.value).length <= WIDTH / 2;
  const value = isShort ? item.value : sampleOf(attribute, found);
  const update = part("change", item.path, "UPDATE", { [attribute.name]: value }, item.etag);
  const why = "# ifMatch: only if nobody has changed the item\n# since it had this etag.\n";
  return `${why}${batch(`Change${found.name}`, [update])}`;
}

async function firstItem(resource: Resource, attribute: Attribute) {
  const query = `{ found: ${resource.collection}(first: 1) { nodes { path etag value: ${attribute.name} } } }`;
  try {
    const answer = await ask<{ found: { nodes: { path: string; etag: string; value: Json }[] } }>(query);
    return answer.found.nodes[0] ?? null;
  } catch {
    return null; // an item that cannot be read is no example
  }
}

function batch(name: string, parts: string[]): string {
  return `mutation ${name} {
  batch(dryRun: true, parts: [
${parts.join("\n")}
  ]) {
    status
    parts {
      id path status etag
      errors { code message pointer }
    }
  }
}
`;
}

function part(id: string, path: string, operation: string, payload: Values, etag?: string): string {
  const line = `payload: ${literal(payload)}`;
  const given = Object.entries(payload).map(([name, value]) => `  ${name}: ${literal(value)}`);
  const lines = [
    `id: "${id}"`,
    `path: ${literal(path)}`,
    `operation: ${operation}`,
    ...(etag === undefined ? [] : [`ifMatch: [${literal(etag)}]`]),
    ...(line.length + 6 <= WIDTH ? [line] : ["payload: {", ...given, "}"]),
  ];
  return `    {\n${lines.map((each) => `      ${each}\n`).join("")}    }`;
}

/** A JSON value as GraphQL writes it. */
function literal(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(literal).join(", ")}]`;
  }
  if (value !== null && typeof value === "object" && !isRaw(value)) {
    const members = Object.entries(value).map(([name, member]) => `${name}: ${literal(member)}`);
    return members.length ? `{ ${members.join(", ")} }` : "{}";
  }
  return JSON.stringify(value);
}

/** What a new item has to have; where that is nothing, something that tells what it is. */
function valuesOf(resource: Resource, by?: Relation): Values {
  const given = new Set(by?.targetAttributes);
  const unique = new Set([...resource.key, ...resource.uniqueKeys.flat()]);
  const required = resource.attributes.filter((attribute) => attribute.required && !given.has(attribute.name));
  const foreign = foreignAttributes(resource);
  const telling = resource.attributes.filter(
    ({ name, type, readOnly }) => type === "String" && !readOnly && !given.has(name) && !foreign.has(name),
  );
  const shown = required.length ? required : telling.slice(0, 1);
  return Object.fromEntries(
    shown.map((attribute) => [attribute.name, sampleOf(attribute, resource, unique.has(attribute.name))]),
  );
}

/** A few attributes that tell a person which item it is. */
function shownAttributes(resource: Resource): string[] {
  const foreign = foreignAttributes(resource);
  const own = resource.attributes.filter(({ name }) => !foreign.has(name) || resource.key.includes(name));
  const texts = own.filter(({ name, type }) => type === "String" && !resource.key.includes(name));
  const names = [...resource.key, ...[...texts, ...own].map(({ name }) => name)];
  const few = [...new Set(names)].slice(0, resource.key.length + 2);
  return few.length ? few : ["__typename"];
}

function changeable(resource: Resource): Attribute | undefined {
  const fixed = new Set([...resource.key, ...resource.uniqueKeys.flat(), ...foreignAttributes(resource)]);
  const free = resource.attributes.filter(
    ({ name, readOnly, generated }) => !readOnly && !generated && !fixed.has(name) && name !== resource.version,
  );
  return free.find(({ type }) => type === "String") ?? free[0];
}

function foreignAttributes(resource: Resource): Set<string> {
  return new Set(resource.relations.filter((relation) => !relation.many).flatMap(({ attributes }) => attributes));
}

/** How many foreign keys a new item has to have, besides the one that its path gives: each needs an item that exists. */
function pointers(resource: Resource, by?: Relation): number {
  const given = new Set(by?.targetAttributes);
  const required = new Set(resource.attributes.filter((attribute) => attribute.required).map(({ name }) => name));
  return resource.relations.filter(
    (relation) => !relation.many && relation.attributes.some((name) => required.has(name) && !given.has(name)),
  ).length;
}

function creates(resource: Resource): boolean {
  return resource.operations.includes("CREATE");
}

function best<Item>(items: readonly Item[], score: (item: Item) => number): Item | undefined {
  return [...items].sort((left, right) => score(right) - score(left))[0];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
