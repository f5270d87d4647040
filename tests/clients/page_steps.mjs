// What a person does in the console, one thing at a time.
import axe from "axe-core";

export async function open(page, url) {
  await page.goto(`${url}/console`);
  await page.getByRole("combobox", { name: "Path" }).waitFor();
}

export function part(page, position) {
  return page.getByRole("listitem", { name: new RegExp(`^Part ${position},`) });
}

export async function add(page, position, path, operation) {
  if (position > 1) {
    await page.getByRole("button", { name: "Add a part" }).click();
  }
  const made = part(page, position);
  const field = made.getByRole("combobox", { name: "Path" });
  await field.fill(path);
  await field.press("Escape");
  if (operation) {
    await made.getByLabel("Operation").selectOption(operation);
  }
  return made;
}

export async function fill(card, values) {
  for (const [name, value] of Object.entries(values)) {
    await card.getByLabel(name, { exact: true }).fill(value);
  }
}

export async function send(card, name, what) {
  await card.getByLabel(`What to send for ${name}`).selectOption(what);
}

// Runs the batch, and gives back what the outcome says.
export async function run(page) {
  await Promise.all([
    page.waitForResponse((response) => (response.request().postData() ?? "").includes("mutation")),
    page.getByRole("button", { name: /the batch$/ }).click(),
  ]);
  const heading = page.getByRole("heading", { name: /^(Committed|Rejected|Valid|Nothing ran)/ });
  await heading.waitFor();
  return heading.innerText();
}

// The controls that are marked, by their labels, with what stands beside them.
export async function marked(page) {
  const found = [];
  for (const control of await page.locator("[aria-invalid=true]").all()) {
    found.push(
      await control.evaluate((element) => ({
        part: element.closest("li").getAttribute("aria-label"),
        field: element.labels[0].textContent,
        said: document.getElementById(element.getAttribute("aria-describedby").split(" ")[0]).innerText,
      })),
    );
  }
  return found;
}

export async function request(page) {
  const details = page.locator("details.request");
  if ((await details.getAttribute("open")) === null) {
    await details.getByText("The request").click();
  }
  const text = (name) => page.locator(`pre[aria-label="${name}"]`).innerText();
  return { variables: JSON.parse(await text("Variables")), curl: await text("curl"), mutation: await text("Mutation") };
}

export function ground(page) {
  return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
}

export async function violations(page) {
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate(() => window.axe.run());
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
