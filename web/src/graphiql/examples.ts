/** Documents to begin with, made of what this server serves: a query, a batch of creates, a guarded update. */

import { type Attribute, type Catalog, type Relation, type Resource, resourceNamed } from "../catalog";
import { type Json, ask } from "../request";

export interface Example {
  query: string;
}

type Values = Record<string, Json>;

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
      const names = shownAttributes(target).join(" ");
      lines.push(
        ...(relation.many
          ? [`${relation.name}(first: 3) {`, `  nodes { ${names} }`, "}"]
          : [`${relation.name} { ${names} }`]),
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
  const parts = [part("new", parent.path, "CREATE", requiredValues(parent))];
  let name = parent.name;
  if (pair) {
    const child = pair.child!;
    name += `With${child.name}`;
    parts.push(
      part("child", `${parent.path}/$new/${pair.relation.name}`, "CREATE", requiredValues(child, pair.relation)),
    );
  }
  const why = pair ? "# $new is the item that the first part makes.\n" : "";
  return `${why}# A dry run writes nothing: without dryRun, all of it is written, or none.\n${batch(`Add${name}`, parts)}`;
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
  const value = item.value ?? valueFor(attribute, false);
  const update = part("change", item.path, "UPDATE", { [attribute.name]: value }, item.etag);
  return `# ifMatch: only if the item is still the one that has this etag.\n${batch(`Change${found.name}`, [update])}`;
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
  const guard = etag === undefined ? "" : `, ifMatch: [${literal(etag)}]`;
  return `    { id: "${id}", path: ${literal(path)}, operation: ${operation}${guard}
      payload: ${literal(payload)} }`;
}

/** A JSON value as GraphQL writes it. */
function literal(value: Json): string {
  if (Array.isArray(value)) {
    return `[${value.map(literal).join(", ")}]`;
  }
  if (value !== null && typeof value === "object") {
    const members = Object.entries(value).map(([name, member]) => `${name}: ${literal(member)}`);
    return members.length ? `{ ${members.join(", ")} }` : "{}";
  }
  return JSON.stringify(value);
}

function requiredValues(resource: Resource, by?: Relation): Values {
  const given = new Set(by?.targetAttributes);
  const unique = new Set([...resource.key, ...resource.uniqueKeys.flat()]);
  return Object.fromEntries(
    resource.attributes
      .filter((attribute) => attribute.required && !given.has(attribute.name))
      .map((attribute) => [attribute.name, valueFor(attribute, unique.has(attribute.name))]),
  );
}

function valueFor(attribute: Attribute, unique: boolean): Json {
  if (attribute.type.startsWith("[")) {
    return [];
  }
  if (attribute.enum?.length) {
    return attribute.enum[0]!;
  }
  const mark = Math.random().toString(36).slice(2, 8);
  const now = new Date().toISOString();
  switch (attribute.type) {
    case "Int":
    case "Float":
      return unique ? Math.floor(Math.random() * 30_000) : Math.max(1, Number(attribute.minimum ?? 1));
    case "BigInt":
      return unique ? String(Math.floor(Math.random() * 1e9)) : "1";
    case "Decimal":
      return attribute.scale === null || attribute.scale > 1 ? "1.50" : "1";
    case "Boolean":
      return true;
    case "Date":
      return now.slice(0, 10);
    case "Time":
      return "12:00:00";
    case "DateTime":
      return attribute.timeZone ? `${now.slice(0, 19)}Z` : now.slice(0, 19);
    case "UUID":
      return `00000000-0000-4000-8000-${mark.replace(/[^0-9a-f]/g, "0").padStart(12, "0")}`;
    case "JSON":
      return {};
    case "Base64":
      return "AAAA";
    default: {
      const text = textFor(attribute.name, unique ? mark : "");
      const most = attribute.maxLength ?? text.length;
      return most > 3 ? text.slice(0, most) : "DEU".slice(0, most); // codes of countries, currencies, languages
    }
  }
}

/** Validators and checks often know what an address of a mail or a page looks like. */
function textFor(name: string, mark: string): string {
  if (/e_?mail/i.test(name)) {
    return `${mark || "ada"}@example.org`;
  }
  if (/url|website|homepage/i.test(name)) {
    return `https://example.org/${mark}`;
  }
  return mark ? `${mark} ${name}` : capital(name);
}

/** A few attributes that tell a person which item it is. */
function shownAttributes(resource: Resource): string[] {
  const foreign = new Set(resource.relations.filter((relation) => !relation.many).flatMap(({ attributes }) => attributes));
  const own = resource.attributes.filter(({ name }) => !foreign.has(name) || resource.key.includes(name));
  const texts = own.filter(({ name, type }) => type === "String" && !resource.key.includes(name));
  const names = [...resource.key, ...[...texts, ...own].map(({ name }) => name)];
  const few = [...new Set(names)].slice(0, resource.key.length + 2);
  return few.length ? few : ["__typename"];
}

function changeable(resource: Resource): Attribute | undefined {
  const fixed = new Set([
    ...resource.key,
    ...resource.uniqueKeys.flat(),
    ...resource.relations.filter((relation) => !relation.many).flatMap(({ attributes }) => attributes),
  ]);
  const free = resource.attributes.filter(
    ({ name, readOnly, generated }) => !readOnly && !generated && !fixed.has(name) && name !== resource.version,
  );
  return free.find(({ type }) => type === "String") ?? free[0];
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
