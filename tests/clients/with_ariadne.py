import sys

from order_client import BatchItemInput, Client, Operation, OrderInput, OrderStatus, PartInput, SaveBatchPartsItemOrder


def pay(client: Client, number: int) -> str:
    order = client.order_form(id=number).order
    if order is None:
        return "There is no such order."
    part = PartInput(
        id="pay",
        path=order.path,
        operation=Operation.UPDATE,
        ifMatch=[order.etag],
        item=BatchItemInput(order=OrderInput(status=OrderStatus.PAID)),
    )
    batch = client.save(parts=[part]).batch
    assert batch is not None  # a request error is an exception
    for result in batch.parts:
        for error in result.errors:
            return f"{result.id}: {error.code.value} at {error.pointer}: {error.message}"
        if isinstance(result.item, SaveBatchPartsItemOrder):
            return f"{batch.status.value}: {result.path} is {result.item.status.value}"
    return str(batch.status.value)


if __name__ == "__main__":
    sys.stdout.write(pay(Client(url=sys.argv[1]), int(sys.argv[2])))
