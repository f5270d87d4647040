// What the types accept and refuse of a part. The test also compiles this without the comments, and for each generator.
import type { PartInput } from "./generated/graphql.ts";

const part = { id: "p", path: "/products/1", operation: "UPDATE" } as const;

export const right: PartInput[] = [
  part,
  { ...part, item: { product: { price: "12.50", description: null } }, ifMatch: ["x"] },
  { ...part, item: { orderLine: {} }, ifMatch: null },
  { ...part, payload: { price: 12.5, tags: ["new"] }, references: [{ attribute: "customer", part: "ada" }] },
];

export const wrong: PartInput[] = [
  // @ts-expect-error two resources
  { ...part, item: { product: { price: "12.50" }, customer: { name: "Ada" } } },
  // @ts-expect-error no resource
  { ...part, item: {} },
  // @ts-expect-error a resource that does not exist
  { ...part, item: { shop: { name: "Ada's" } } },
  // @ts-expect-error an attribute that does not exist
  { ...part, item: { product: { colour: "red" } } },
  // @ts-expect-error an attribute of another type
  { ...part, item: { product: { name: 7 } } },
  // @ts-expect-error a value that the enum does not have
  { ...part, item: { order: { status: "LOST" } } },
  // @ts-expect-error an operation that does not exist
  { ...part, operation: "MERGE" },
  // @ts-expect-error no path
  { id: "p", operation: "CREATE" },
];
