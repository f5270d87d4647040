import type { OrderFormQuery, PartInput, SaveMutation } from "./generated/graphql.ts";

type Order = NonNullable<OrderFormQuery["order"]>;
type Batch = NonNullable<SaveMutation["batch"]>;
type Mark = { part: string; attributes: readonly string[]; message: string };

/** Save a form that shows an order; give back what is wrong in it, and where. */
export async function saveForm(
  order: Order,
  quantities: number[],
  save: (parts: PartInput[]) => Promise<Batch>, // one of those below
): Promise<Mark[]> {
  const lines = order.lines?.nodes ?? [];
  const batch = await save([
    { id: "order", path: order.path, operation: "UPDATE", item: { order: { status: "PAID" } }, ifMatch: [order.etag] },
    ...lines.map((line, index): PartInput => ({
      id: line.path,
      path: line.path,
      operation: "UPDATE",
      item: { orderLine: { quantity: quantities[index] } },
      ifMatch: [line.etag],
    })),
  ]);
  return batch.parts.flatMap(({ id, errors }) =>
    errors.map(({ attributes, message }) => ({ part: id, attributes, message })),
  );
}
