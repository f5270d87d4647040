// Takes one client through the steps of tests/support/orders.py, and prints what it was told and what it showed, as JSON:
// run.ts ./apollo.ts http://127.0.0.1:8000/graphql '{"id": 1, "committed": [parts], ...}'
import { setTimeout as sleep } from "node:timers/promises";

import { saveForm } from "./form.ts";

type Parts = object[];
type Steps = { id: number; committed: Parts; elsewhere: Parts; rejected: Parts; saved: Parts; unreadable: Parts; failures: Parts[] };
type Adapter = {
  makeClient(url: string): unknown;
  watchOrder?(client: unknown, id: number, show: (form: unknown) => void): void;
  readOrder?(client: unknown, id: number): Promise<unknown>;
  save(client: unknown, parts: Parts, key?: string): Promise<unknown>;
  saveOrder(client: unknown, id: number, parts: Parts): Promise<unknown>;
  codeOf(error: unknown): unknown;
};

const [module, url, given] = process.argv.slice(2) as [string, string, string];
const { id, ...steps } = JSON.parse(given) as Steps;
const sent: string[] = []; // queries and mutations, in the order in which they left
const directly = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const { query } = JSON.parse(String(init?.body)) as { query: string };
  sent.push(/query|mutation/.exec(query)?.[0] ?? query);
  return directly(input, init);
};

const adapter = (await import(module)) as Adapter;
const client = adapter.makeClient(url);
let screen: unknown; // what a watched query shows
adapter.watchOrder?.(client, id, (form) => (screen = structuredClone(form)));

/** What is on the screen once that has changed; without a cache, what is read now. */
async function shown(before: unknown): Promise<unknown> {
  if (adapter.readOrder) return adapter.readOrder(client, id);
  for (const end = Date.now() + 10_000; Date.now() < end && same(screen, before); ) await sleep(10);
  await sleep(100); // whatever else would come
  return screen;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function changeElsewhere(parts: Parts): Promise<void> {
  const query = "mutation ($parts: [PartInput!]!) { batch(parts: $parts) { committed } }";
  const headers = { "Content-Type": "application/json" };
  await directly(url, { method: "POST", headers, body: JSON.stringify({ query, variables: { parts } }) });
}

async function failure(parts: Parts): Promise<unknown> {
  try {
    return await adapter.save(client, parts);
  } catch (error) {
    return adapter.codeOf(error);
  }
}

const screens = [await shown(undefined)];
const key = `save ${module}`;
const committed = await adapter.save(client, steps.committed, key);
const repeated = await adapter.save(client, steps.committed, key);
screens.push(await shown(screens.at(-1)));
await changeElsewhere(steps.elsewhere);
const rejected = await adapter.save(client, steps.rejected);
screens.push(await shown(screens.at(-1)));
const saved = await adapter.saveOrder(client, id, steps.saved);
screens.push(await shown(screens.at(-1)));
const { order } = screens.at(-1) as { order: any };
const marks = await saveForm(order, [0, 5, 5], (parts) => adapter.save(client, parts) as Promise<any>);
const unreadable = await adapter.save(client, steps.unreadable);
const failures: unknown[] = [];
for (const parts of steps.failures) failures.push(await failure(parts));

console.log(JSON.stringify({ screens, committed, repeated, rejected, saved, marks, unreadable, failures, sent }));
process.exit(); // what a client keeps open (timers, connections) does not matter any more
